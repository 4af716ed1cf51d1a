"""Causes that have to do with a rollback: one that is asked for, one that runs, what it left."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.api.explain import Awaited, Finding, Severity
from shared.explain.picture import Picture, Undoing
from shared.workflow.state import ExecutionState, Rollback
from shared.workflow.undo_folds import is_held

_LEFT = {
    "rollback_incomplete": "Its rollback is incomplete",
    "rollback_failed": "Its rollback failed: nothing was undone",
}


def rollbacks(picture: Picture) -> Iterator[Finding]:
    """How the newest rollback stands, if that is not all there is to say."""
    state = picture.state
    if state is None or state.rollback is None:
        return
    rollback = state.rollback
    if is_held(state):
        yield _held(picture, state, rollback)
    elif not state.over:
        yield _awaited(
            state,
            says=f"It is rolled back once it has ended{_why(rollback)}",
            normally="What runs may finish, or is stopped, as the strategy says.",
            action=f"hv rollbacks show {state.execution_id}",
        )
    elif state.status in _LEFT:
        left = "; ".join(rollback.left[:3]) or rollback.outcome
        yield Finding(
            cause=state.status.value,
            severity=Severity.NEEDS_PEOPLE,
            says=f"{_LEFT[state.status]}" + (f" ({left})" if left else ""),
            since_ms=rollback.ended_at_ms,
            normally="Nobody undoes the rest by itself: ask for another rollback when the cause is "
            "mended, or do it by hand.",
            action=f"hv rollbacks runbook {state.execution_id}",
        )


def _held(picture: Picture, state: ExecutionState, rollback: Rollback) -> Finding:
    """What holds it: a service, people, or the execution that undoes it."""
    undoing = picture.undoing
    says = f"It is being rolled back ({rollback.strategy}){_why(rollback)}"
    if undoing is not None and undoing.service is False:
        return _unplanned(undoing)
    if undoing is not None and undoing.status == "awaiting_people":
        return Finding(
            cause="undone_by_people",
            severity=Severity.NEEDS_PEOPLE,
            says=f"{says}: people undo it by hand, {undoing.ticked} of {undoing.items} items are "
            "ticked off",
            waits_for=Awaited(kind="person", name="items", message="rollback_item_ticked"),
            since_ms=undoing.since_ms,
            normally="It is over once the last item is ticked off.",
            action=f"hv rollbacks runbook {state.execution_id}",
        )
    show = f"hv rollbacks show {state.execution_id}"
    return _awaited(
        state,
        says=says,
        normally="A rollback service plans what is undone, an execution of its own undoes it, "
        "or people do; until then nothing else moves it.",
        action=f"hv why {undoing.run}" if undoing is not None and undoing.run else show,
    )


def _unplanned(undoing: Undoing) -> Finding:
    planning = undoing.status == "planning"
    nobody = "plans what is undone" if planning else "looks at what was undone"
    return Finding(
        cause="no_rollback_service",
        severity=Severity.STUCK,
        says=f"No rollback service answers, so nobody {nobody}.",
        waits_for=Awaited(kind="rollback_service", name="any"),
        since_ms=undoing.since_ms,
        normally="It goes on by itself once one runs: `hv up` starts one, and so does "
        "`python -m services.rollback`.",
        action="hv status",
    )


def _awaited(state: ExecutionState, *, says: str, normally: str, action: str) -> Finding:
    return Finding(
        cause="rolling_back",
        severity=Severity.WAITS,
        says=says,
        waits_for=Awaited(
            kind="rollback", name=f"rb_{state.execution_id}", message="rollback_ended"
        ),
        since_ms=state.updated_at_ms,
        normally=normally,
        action=action,
    )


def _why(rollback: Rollback) -> str:
    reason = f": {rollback.reason}" if rollback.reason else ""
    return f", as {rollback.by.id} asked{reason}"
