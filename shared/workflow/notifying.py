"""People are told of what an execution has come to, as its template says."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.turn import Turn


def notify(turn: Turn, more: str = "") -> None:
    """Raise what `policies.notifications` names for the status just reached; `more` follows the
    message that is told where the author wrote none."""
    state, template = turn.state, turn.program.template
    for notification in template.policies.notifications:
        if state.status.value in notification.on:
            text = notification.message or f"{template.name}: {state.status.value}{more}"
            turn.emit(ev.NotificationRaised(severity=notification.severity, message=text[:1_000]))
