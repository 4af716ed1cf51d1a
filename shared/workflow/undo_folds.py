"""What the events of a rollback mean for the execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.workflow import undo_events as ev
from shared.workflow.machines.execution import EXECUTION, ExecutionStatus
from shared.workflow.state import ExecutionState, Rollback
from shared.workflow.trusted import renewed

Changes = dict[str, Any]


def _requested(
    state: ExecutionState,
    event: ev.ExecutionRollbackRequested | ev.ExecutionRollingBack,
    _at_ms: int,
) -> Changes:
    undone = state.rollback.undone if state.rollback is not None else ()
    rollback = Rollback(
        number=event.number,
        strategy=event.strategy,
        to=event.to,
        by=event.by,
        reason=event.reason,
        undone=undone,
    )
    return {"status": EXECUTION.next(state.status, event.type), "rollback": rollback}


def _over(state: ExecutionState, event: ev.RollbackOver, at_ms: int) -> Changes:
    status = EXECUTION.next(state.status, event.type)
    before = state.rollback or Rollback(number=event.number, strategy="immediate")
    undone = tuple(sorted({*before.undone, *event.undone}))
    ended = {
        "status": status.value,
        "undone": undone,
        "left": event.left,
        "run": event.run,
        "outcome": event.reason,
        "ended_at_ms": at_ms,
    }
    return {"status": status, "rollback": renewed(before, ended)}


def is_held(state: ExecutionState) -> bool:
    """True while a rollback runs."""
    return state.status is ExecutionStatus.ROLLING_BACK


UNDO_FOLDS: Final[Mapping[type, Callable[[ExecutionState, Any, int], Changes]]] = {
    ev.ExecutionRollbackRequested: _requested,
    ev.ExecutionRollingBack: _requested,
    ev.ExecutionRolledBack: _over,
    ev.ExecutionRollbackIncomplete: _over,
    ev.ExecutionRollbackFailed: _over,
}
"""For `evolve`."""
