"""Events of the rollback of an execution."""

from __future__ import annotations

from typing import Literal

from shared.workflow.event_base import Event
from shared.workflow.message_base import Actor
from shared.workflow.way_back import Strategy


class RollbackEvent(Event):
    """Base of what says how a rollback stands. `number` counts those of one execution, from 1."""

    number: int


class ExecutionRollbackRequested(RollbackEvent):
    """It shall be rolled back. Number 0: nobody asked, a policy says so; then `steps` are those
    whose work shall be undone, or, where there are none, all."""

    type: Literal["execution.rollback_requested"] = "execution.rollback_requested"
    strategy: Strategy
    to: str = ""
    by: Actor
    reason: str = ""
    steps: tuple[str, ...] = ()


class ExecutionRollingBack(RollbackEvent):
    """It has ended, and what it did is being undone."""

    type: Literal["execution.rolling_back"] = "execution.rolling_back"
    strategy: Strategy
    to: str = ""
    by: Actor
    reason: str = ""


class RollbackOver(RollbackEvent):
    """Base of the ends of a rollback; see `RollbackEnded`."""

    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    run: str = ""
    reason: str = ""


class ExecutionRolledBack(RollbackOver):
    """All that was to be undone is undone, and that was verified."""

    type: Literal["execution.rolled_back"] = "execution.rolled_back"


class ExecutionRollbackIncomplete(RollbackOver):
    """Some of it is undone, or nothing could be; `left` says what remains."""

    type: Literal["execution.rollback_incomplete"] = "execution.rollback_incomplete"


class ExecutionRollbackFailed(RollbackOver):
    """Nothing was undone."""

    type: Literal["execution.rollback_failed"] = "execution.rollback_failed"


UndoEvent = (
    ExecutionRollbackRequested
    | ExecutionRollingBack
    | ExecutionRolledBack
    | ExecutionRollbackIncomplete
    | ExecutionRollbackFailed
)
"""Any of them."""
