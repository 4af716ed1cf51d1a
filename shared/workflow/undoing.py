"""The side of an execution that is rolled back: it holds still, and hears what came of it.

The law:

* What runs is brought to its end first: stopped, with proof, or drained, as the strategy says.
* Once it has ended it is held (`rolling_back`): nothing moves it but the end of its rollback. All
  that happens once at the end of an execution has happened by then, and does not happen again.
* People are told of its beginning and of its end where the template says so.
* A sub-workflow is undone as a part of the execution above all others, never by itself.
* Where the policy says so, an execution that failed or was cancelled asks for its rollback itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.lifecycle import cancel, drain, hasten_end
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.notifying import notify
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn
from shared.workflow.undo_folds import is_held

_Over = ev.ExecutionRolledBack | ev.ExecutionRollbackIncomplete | ev.ExecutionRollbackFailed
_OVER: Final[Mapping[str, Callable[..., _Over]]] = {
    "rolled_back": ev.ExecutionRolledBack,
    "rollback_incomplete": ev.ExecutionRollbackIncomplete,
    "rollback_failed": ev.ExecutionRollbackFailed,
}


def rollback_wanted(turn: Turn, wish: msg.RollbackWanted) -> None:
    """Hold an execution that has ended; bring one that runs to its end first."""
    state = turn.state
    if state.parent is not None or is_held(state) or not _is_new(state, wish):
        return
    if state.ended:
        turn.emit(
            ev.ExecutionRollingBack(
                number=wish.number,
                strategy=wish.strategy,
                to=wish.to,
                by=wish.by,
                reason=wish.reason,
            )
        )
        notify(turn, " by hand, people are awaited" if wish.strategy == "manual" else "")
        return
    turn.emit(
        ev.ExecutionRollbackRequested(
            number=wish.number,
            strategy=wish.strategy,
            to=wish.to,
            by=wish.by,
            reason=wish.reason,
        )
    )
    reason = f"rolled back by {wish.by.id}" + (f": {wish.reason}" if wish.reason else "")
    if state.status is not ExecutionStatus.CANCELLING:
        (drain if wish.drain else cancel)(turn, wish.by, reason)
    elif not wish.drain:
        hasten_end(turn, wish.by, reason)


def _is_new(state: ExecutionState, wish: msg.RollbackWanted) -> bool:
    """False for what was asked for already, and is over, or not asked for again."""
    known = state.rollback
    if known is None or known.number != wish.number:
        return known is None or known.number < wish.number
    return wish.again and state.ended and known.status == "requested"


def rollback_ended(turn: Turn, end: msg.RollbackEnded) -> None:
    """Its rollback is over."""
    rollback = turn.state.rollback
    if not is_held(turn.state) or rollback is None or rollback.number != end.number:
        return
    turn.emit(
        _OVER[end.status](
            number=end.number,
            undone=end.undone,
            left=end.left,
            run=end.run,
            reason=end.reason,
        )
    )
    notify(turn, f", {len(end.left)} left" if end.left else "")
