"""The state of an execution: the fold of its events, and everything a decision may look at.

Frozen throughout. It is stored as one document, with the journal sequence it has applied, so it
must stay small: outputs are bounded where they are made, attempts by the retry limit.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.captured import Captured
from shared.workflow.gate_state import GateState
from shared.workflow.kept import StepPlan
from shared.workflow.loop_state import LoopState
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ENDED, OVER, ExecutionStatus
from shared.workflow.machines.step import STEP_ENDED, StepStatus
from shared.workflow.message_base import AttemptRecord, Mark
from shared.workflow.messages import ENGINE, Actor, Cause, Failure, Instance, Parent, Signal
from shared.workflow.operator_events import RerunOf
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.way_back import Strategy

__all__ = [
    "AttemptRecord",
    "ExecutionState",
    "Pause",
    "RerunOf",
    "Rollback",
    "StepState",
    "Stop",
    "TimerState",
]


class StepState(BaseModel):
    """One step, or one instance of a loop or fleet (`instance`), whose step counts them in
    `instances` and says in `loop` how they stand.

    `attempt` counts from 1, 0 before the first; `leg` counts resumptions of it, and `offer` how
    often the leg was offered again. `token` names what it waits or waited for; `woken` what
    happened before it began to wait. `dead`: its branch was not taken. `taken`: the steps that it
    sent to. `child`: the execution that it called. `rounds`: how often an `until` loop completed.
    `begun_at_ms` is when its first attempt began, `ran_on` the agent on which a leg of it began
    last, and `fence` the fencing token of that. `mark` is what a person said became of it, and
    `hurried` that one wanted its wait over. `kept_from` is the execution in which it was run, where
    this one kept it; `plan` what it makes use of when it runs again. `captured` tells what was kept
    before its last attempt; of a lost one only the store of captures knows.
    """

    model_config = ConfigDict(frozen=True)

    status: StepStatus = StepStatus.PENDING
    attempt: int = 0
    leg: int = 0
    offer: int = 0
    fence: int = 0
    agent: str = ""
    begun_at_ms: int = 0
    ran_on: str = ""
    scheduled_at_ms: int = 0
    started_at_ms: int = 0
    ended_at_ms: int = 0
    output: dict[str, Any] = Field(default_factory=dict)
    failure: Failure | None = None
    reason: str = ""
    token: str | None = None
    woken: str | None = None
    tolerated: bool = False
    attempts: tuple[AttemptRecord, ...] = ()
    dead: bool = False
    taken: tuple[str, ...] | None = None
    child: str | None = None
    rounds: int = 0
    instance: Instance | None = None
    instances: int = 0
    loop: LoopState | None = None
    mark: Mark | None = None
    hurried: bool = False
    kept_from: str = ""
    plan: StepPlan | None = None
    captured: Captured | None = None

    @property
    def ended(self) -> bool:
        """True in a final status."""
        return self.status in STEP_ENDED


class TimerState(BaseModel):
    """A timer that is set: when it is due and which setting of it counts."""

    model_config = ConfigDict(frozen=True)

    due_ms: int
    generation: int


class Slot(BaseModel):
    """What was asked of a concurrency key: `granted` once it is held."""

    model_config = ConfigDict(frozen=True)

    key: str
    granted: bool = False
    asked_at_ms: int = 0


class Stop(BaseModel):
    """Why the execution is coming to an early end. With `drain` what runs may finish."""

    model_config = ConfigDict(frozen=True)

    kind: str
    by: Actor = ENGINE
    reason: str = ""
    step: str | None = None
    failure: Failure | None = None
    drain: bool = False


class Rollback(BaseModel):
    """The newest rollback of the execution. `status` is `requested` until it is over; `undone` are
    the steps of which this one or an earlier one undid something, `left` what remains, `run` the
    execution that did the work, `outcome` a word about why."""

    model_config = ConfigDict(frozen=True)

    number: int
    strategy: Strategy
    to: str = ""
    by: Actor = ENGINE
    reason: str = ""
    status: str = "requested"
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    run: str = ""
    outcome: str = ""
    ended_at_ms: int = 0


class Pause(BaseModel):
    """Who paused the execution and why; `step` is the one before which a breakpoint paused it.
    `number` tells it from other pauses of the execution."""

    model_config = ConfigDict(frozen=True)

    number: int
    by: Actor
    reason: str = ""
    step: str = ""


class ExecutionState(BaseModel):
    """One execution.

    `version` counts its events. `open`, `busy` and `outside` count the steps that have not ended,
    that we or an agent move, and that only something outside moves. `approval` is that of the gate
    before everything; `gates` has all of them, by name. `slots` are those of concurrency keys, by
    the step that needs one, `*` for the execution itself. `section` is `on_failure` or `finally`
    once those steps may start. `pause` is there while it is paused; `breakpoints` are the steps
    before which it will pause. `rerun` says which execution it repeats, `rollback` how its newest
    rollback stands. `validating`: nobody has looked at it and let it go, so nothing of it runs.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    template_version: str
    category: str
    status: ExecutionStatus = ExecutionStatus.PENDING
    version: int = 0
    parameters: dict[str, Any] = Field(default_factory=dict)
    requested_by: Actor = Actor()
    template_author: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    steps: dict[str, StepState] = Field(default_factory=dict)
    open: int = 0
    busy: int = 0
    outside: int = 0
    output_bytes: int = 0
    outputs: dict[str, Any] = Field(default_factory=dict)
    approval: ApprovalStatus = ApprovalStatus.NONE
    approved_by: Actor | None = None
    gates: dict[str, GateState] = Field(default_factory=dict)
    timers: dict[str, TimerState] = Field(default_factory=dict)
    stop: Stop | None = None
    section: str = ""
    signals: tuple[Signal, ...] = ()
    slots: dict[str, Slot] = Field(default_factory=dict)
    parent: Parent | None = None
    timeout_s: float | None = None
    trigger: Cause = Cause()
    pause: Pause | None = None
    breakpoints: tuple[str, ...] = ()
    rerun: RerunOf | None = None
    rollback: Rollback | None = None
    verdict: RiskVerdict | None = None
    validating: bool = False
    failure: Failure | None = None
    created_at_ms: int = 0
    started_at_ms: int = 0
    updated_at_ms: int = 0
    ended_at_ms: int = 0

    @property
    def ended(self) -> bool:
        """True in a final status."""
        return self.status in ENDED

    @property
    def over(self) -> bool:
        """True when nothing of its own steps runs any more: it has ended, or is rolled back."""
        return self.status in OVER
