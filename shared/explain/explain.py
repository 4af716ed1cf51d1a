"""`explain(picture) -> Explanation`: every cause that holds, the one most in the way first.

Pure: it looks at nothing but the picture. A cause is a function that yields findings; a new one is
a line in `CAUSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from shared.contracts.api.explain import Explanation, Finding
from shared.explain import system, undoing, whole
from shared.explain.known import known
from shared.explain.pending import pending
from shared.explain.picture import Picture
from shared.explain.slots import slots
from shared.explain.steps import steps

MOST_FINDINGS: Final = 50

Cause = Callable[[Picture], Iterable[Finding]]
CAUSES: Final[tuple[Cause, ...]] = (
    system.damaged,
    system.quarantined,
    system.unled,
    undoing.rollbacks,
    whole.over,
    known,
    system.overdue,
    whole.failing,
    whole.paused,
    whole.validation,
    whole.approvals,
    slots,
    steps,
    whole.cancelling,
    system.behind,
    system.accepted,
    pending,
)
"""In this order among findings of one severity."""


def explain(picture: Picture) -> Explanation:
    """What was found, and its first as the answer."""
    found = sorted(_all(picture), key=lambda finding: finding.severity)
    state = picture.state
    first = found[0] if found else None
    status = state.status.value if state is not None else "unknown"
    return Explanation(
        execution_id=picture.execution_id,
        template_id=state.template_id if state is not None else "",
        status=status,
        at_ms=picture.now_ms,
        answer=first.says if first is not None else f"It is {status}, and goes on by itself.",
        action=first.action if first is not None else f"hv watch {picture.execution_id}",
        findings=tuple(found[:MOST_FINDINGS]),
        more=max(0, len(found) - MOST_FINDINGS),
    )


def _all(picture: Picture) -> Iterator[Finding]:
    for cause in CAUSES:
        yield from cause(picture)
