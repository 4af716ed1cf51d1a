"""Events: what was decided about an execution, in the past tense.

The fold of an execution's events is its state (`shared.workflow.evolve`), and what the edge does
follows from them (`effect of`): a scheduled step becomes a task, a set timer a durable message.
All but the timers' are public. An event's type is `<category>.<what happened>`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.workflow.captured import Captured
from shared.workflow.capturing import CaptureOrder
from shared.workflow.event_base import Event, StepEnded, StepEvent
from shared.workflow.fleet_events import (
    StepBatchEnded,
    StepBatchStarted,
    StepFleetStopped,
    StepTargeted,
    StepTargeting,
)
from shared.workflow.fleets import Placement, RateLimit
from shared.workflow.flow_events import (
    ExecutionHandling,
    RegionCancelled,
    SignalKept,
    StepAwaiting,
    StepCalled,
    StepChosen,
    StepExpanded,
    StepExtended,
    StepRecalled,
    StepRelayed,
    StepRepeating,
    StepRouted,
)
from shared.workflow.gate_events import (
    ApprovalDelegated,
    ApprovalEscalated,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalRefused,
    ApprovalRejected,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalVoided,
    ApprovalVoted,
    GateAnswer,
    GateEvent,
)
from shared.workflow.late import LateParameters
from shared.workflow.messages import Actor, Cause, Failure, Parent
from shared.workflow.operator_events import (
    ApprovalKept,
    BreakpointsChanged,
    RerunOf,
    StepFailureKept,
    StepHurried,
    StepKept,
    StepMarked,
    StepMarkVoided,
    StepPlanned,
)
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.slot_events import (
    SlotAsked,
    SlotDenied,
    SlotEvent,
    SlotReleased,
    SlotTaken,
)
from shared.workflow.undo_events import (
    ExecutionRollbackFailed,
    ExecutionRollbackIncomplete,
    ExecutionRollbackRequested,
    ExecutionRolledBack,
    ExecutionRollingBack,
    RollbackOver,
    UndoEvent,
)
from shared.workflow.validation_events import ValidationEvent

__all__ = [
    "ApprovalDelegated",
    "ApprovalEscalated",
    "ApprovalExpired",
    "ApprovalGranted",
    "ApprovalKept",
    "ApprovalRefused",
    "ApprovalRejected",
    "ApprovalReminded",
    "ApprovalRequested",
    "ApprovalVoided",
    "ApprovalVoted",
    "BreakpointsChanged",
    "Event",
    "ExecutionHandling",
    "ExecutionRollbackFailed",
    "ExecutionRollbackIncomplete",
    "ExecutionRollbackRequested",
    "ExecutionRolledBack",
    "ExecutionRollingBack",
    "GateAnswer",
    "GateEvent",
    "RegionCancelled",
    "RerunOf",
    "RollbackOver",
    "SignalKept",
    "SlotAsked",
    "SlotDenied",
    "SlotEvent",
    "SlotReleased",
    "SlotTaken",
    "StepAwaiting",
    "StepBatchEnded",
    "StepBatchStarted",
    "StepCalled",
    "StepChosen",
    "StepEnded",
    "StepEvent",
    "StepExpanded",
    "StepExtended",
    "StepFailureKept",
    "StepFleetStopped",
    "StepHurried",
    "StepKept",
    "StepMarkVoided",
    "StepMarked",
    "StepPlanned",
    "StepRecalled",
    "StepRelayed",
    "StepRepeating",
    "StepRouted",
    "StepTargeted",
    "StepTargeting",
]


class ExecutionCreated(Event):
    """An execution exists. `steps` are all step ids in topological order; it pauses before those in
    `breakpoints`."""

    type: Literal["execution.created"] = "execution.created"
    template_id: str
    template_version: str
    category: str
    parameters: dict[str, Any]
    requested_by: Actor
    template_author: str = ""
    labels: dict[str, str]
    steps: tuple[str, ...]
    parent: Parent | None = None
    timeout_s: float | None = None
    trigger: Cause = Cause()
    breakpoints: tuple[str, ...] = ()
    rerun: RerunOf | None = None
    verdict: RiskVerdict | None = None


class ExecutionStarted(Event):
    """Steps may run from now on."""

    type: Literal["execution.started"] = "execution.started"


class ExecutionWaiting(Event):
    """Nothing runs; everything open waits for something outside."""

    type: Literal["execution.waiting"] = "execution.waiting"
    reason: str = ""


class ExecutionContinued(Event):
    """What was waited for has come."""

    type: Literal["execution.continued"] = "execution.continued"


class ExecutionPaused(Event):
    """Nothing new starts until it is resumed. `step` is the one before which a breakpoint is."""

    type: Literal["execution.paused"] = "execution.paused"
    by: Actor
    reason: str = ""
    step: str = ""


class ExecutionResumed(Event):
    """The pause is over."""

    type: Literal["execution.resumed"] = "execution.resumed"
    by: Actor
    reason: str = ""


class ExecutionFailing(Event):
    """A step failed for good: nothing new starts, what runs may finish."""

    type: Literal["execution.failing"] = "execution.failing"
    step: str | None
    failure: Failure


class ExecutionCancelling(Event):
    """Stop everything; `timed_out` tells a deadline from a request. With `drain` what agents have
    begun may finish."""

    type: Literal["execution.cancelling"] = "execution.cancelling"
    by: Actor
    reason: str = ""
    timed_out: bool = False
    drain: bool = False


class ExecutionCompleted(Event):
    """Every step completed or was skipped by its condition."""

    type: Literal["execution.completed"] = "execution.completed"
    outputs: dict[str, Any]


class ExecutionCompletedWithErrors(Event):
    """It came to its end, and steps with `continue_on_failure` failed on the way."""

    type: Literal["execution.completed_with_errors"] = "execution.completed_with_errors"
    outputs: dict[str, Any]
    failed_steps: tuple[str, ...]


class ExecutionFailed(Event):
    """It could not come to its end."""

    type: Literal["execution.failed"] = "execution.failed"
    failure: Failure
    step: str | None = None


class ExecutionCancelled(Event):
    """It was stopped before its end."""

    type: Literal["execution.cancelled"] = "execution.cancelled"
    by: Actor
    reason: str = ""


class NotificationRaised(Event):
    """The template asks to tell people about how the execution ended."""

    type: Literal["notification.raised"] = "notification.raised"
    severity: str
    message: str


class Requirement(BaseModel):
    """What an agent must have to be given a task: all of `capabilities`, one of `any_capabilities`.
    With `agent` it is that one and no other; `placement` chooses among several."""

    model_config = ConfigDict(frozen=True)

    capabilities: tuple[str, ...] = ()
    host: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    any_capabilities: tuple[str, ...] = ()
    agent: str | None = None
    placement: Placement | None = None


class StepScheduled(StepEvent):
    """One leg of an attempt is offered to agents; effect of this event: the task.

    `offer` counts how often the same leg was offered before: whichever is claimed first counts.
    What changes nothing need not be claimed before it is run (`must_claim`). Of parameters with
    secrets in them `late` has what the agent needs to evaluate them. `hurried`: what it waited for
    need not be waited for any longer. `capture`: something is to be kept before it begins.
    """

    type: Literal["step.scheduled"] = "step.scheduled"
    PUBLIC: ClassVar[bool] = False
    attempt: int
    leg: int
    command: str
    parameters: dict[str, Any]
    timeout_s: float
    requirement: Requirement
    sensitive: tuple[str, ...] = ()
    token: str | None = None
    offer: int = 0
    must_claim: bool = True
    late: LateParameters | None = None
    rate_limit: RateLimit | None = None
    hurried: bool = False
    capture: CaptureOrder | None = None


class StepBlocked(StepEvent):
    """No live agent fits; tried again until the step's start timeout."""

    type: Literal["step.blocked"] = "step.blocked"
    attempt: int
    reason: str


class StepStarted(StepEvent):
    """An agent runs it. `fence` is the journal sequence of what said so: the leg's fencing token,
    higher than that of every earlier attempt at any step of this execution."""

    type: Literal["step.started"] = "step.started"
    attempt: int
    leg: int
    agent: str
    host: str
    fence: int = 0


class StepDeferred(StepEvent):
    """It waits for something outside, holding no agent."""

    type: Literal["step.deferred"] = "step.deferred"
    attempt: int
    leg: int
    token: str
    wake_at_ms: int | None
    output: dict[str, Any]
    captured: Captured | None = None


class StepWoken(StepEvent):
    """What it is about to wait for has happened already: it will go on as soon as it waits."""

    type: Literal["step.woken"] = "step.woken"
    PUBLIC: ClassVar[bool] = False
    attempt: int
    leg: int
    token: str


class StepCompleted(StepEnded):
    """The step succeeded."""

    type: Literal["step.completed"] = "step.completed"
    output: dict[str, Any]
    output_bytes: int = 0


class StepFailed(StepEnded):
    """The step failed for good."""

    type: Literal["step.failed"] = "step.failed"
    failure: Failure
    output: dict[str, Any] = Field(default_factory=dict)
    output_bytes: int = 0
    tolerated: bool = False


class StepRetrying(StepEnded):
    """The attempt failed and another one follows at `due_ms`."""

    type: Literal["step.retrying"] = "step.retrying"
    failure: Failure
    due_ms: int


class StepLost(StepEnded):
    """The worker died midway: the outcome of this attempt is unknown."""

    type: Literal["step.lost"] = "step.lost"
    reason: str


class StepSkipped(StepEvent):
    """It will not run: its condition is false, its branch was not taken (`dead`), or the execution
    ended before."""

    type: Literal["step.skipped"] = "step.skipped"
    reason: str
    dead: bool = False
    taken: tuple[str, ...] | None = None


class StepStopping(StepEvent):
    """The agent is told to stop it; effect of this event: a control message."""

    type: Literal["step.stopping"] = "step.stopping"
    attempt: int
    leg: int


class StepRevoked(StepEvent):
    """A runner claimed an attempt that is no longer wanted; effect: it is told to stop."""

    type: Literal["step.revoked"] = "step.revoked"
    attempt: int
    leg: int
    agent: str


class StepCancelled(StepEnded):
    """It was stopped, or never started."""

    type: Literal["step.cancelled"] = "step.cancelled"
    reason: str = ""


class TimerSet(Event):
    """Effect of this event: a durable timer message due at `due_ms`."""

    type: Literal["timer.set"] = "timer.set"
    PUBLIC: ClassVar[bool] = False
    timer: str
    due_ms: int
    generation: int


class TimerCleared(Event):
    """The timer is no longer wanted, or has fired."""

    type: Literal["timer.cleared"] = "timer.cleared"
    PUBLIC: ClassVar[bool] = False
    timer: str
    fired: bool = False


AnyEvent = Annotated[
    ExecutionCreated
    | ExecutionStarted
    | ExecutionWaiting
    | ExecutionContinued
    | ExecutionPaused
    | ExecutionResumed
    | ExecutionFailing
    | ExecutionCancelling
    | ExecutionCompleted
    | ExecutionCompletedWithErrors
    | ExecutionFailed
    | ExecutionCancelled
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalRejected
    | ApprovalVoted
    | ApprovalRefused
    | ApprovalDelegated
    | ApprovalEscalated
    | ApprovalReminded
    | ApprovalExpired
    | ApprovalVoided
    | NotificationRaised
    | StepScheduled
    | StepBlocked
    | StepStarted
    | StepDeferred
    | StepWoken
    | StepCompleted
    | StepFailed
    | StepRetrying
    | StepLost
    | StepSkipped
    | StepStopping
    | StepRevoked
    | StepCancelled
    | StepRepeating
    | StepExpanded
    | StepExtended
    | StepRouted
    | StepAwaiting
    | StepChosen
    | StepCalled
    | StepRelayed
    | StepRecalled
    | StepTargeting
    | StepTargeted
    | StepBatchStarted
    | StepBatchEnded
    | StepFleetStopped
    | SignalKept
    | RegionCancelled
    | ExecutionHandling
    | SlotAsked
    | SlotTaken
    | SlotDenied
    | SlotReleased
    | BreakpointsChanged
    | StepMarked
    | StepMarkVoided
    | StepHurried
    | StepKept
    | StepFailureKept
    | StepPlanned
    | ApprovalKept
    | UndoEvent
    | ValidationEvent
    | TimerSet
    | TimerCleared,
    Field(discriminator="type"),
]

EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
"""Reads and writes any event as JSON."""
