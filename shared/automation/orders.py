"""What a turn of a schedule or a rule tells the world to do."""

from __future__ import annotations

from typing import NamedTuple

from shared.automation.states import RuleState, ScheduleState
from shared.workflow.definition import Template
from shared.workflow.messages import ExecutionRequested


class StartRun(NamedTuple):
    """Ask for an execution."""

    execution_id: str
    request: ExecutionRequested


class CancelRun(NamedTuple):
    """Ask for the end of an execution."""

    execution_id: str
    reason: str


class SetTimer(NamedTuple):
    """Set a durable timer, instead of one of the same name."""

    name: str
    due_ms: int
    generation: int


class TakeTimer(NamedTuple):
    """State in the journal that a timer was taken."""

    name: str
    generation: int


class ClearTimers(NamedTuple):
    """Forget every timer."""


Order = StartRun | CancelRun | SetTimer | TakeTimer | ClearTimers


class Found(NamedTuple):
    """A template as it was found when it is time to run it, and who wrote it."""

    template: Template
    author: str


class Outcome(NamedTuple):
    """What a turn came to: the state after it, what to do, and what to count."""

    state: ScheduleState | RuleState | None
    orders: tuple[Order, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
