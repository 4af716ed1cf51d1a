"""The journal: facts and requests about one execution, the only thing that moves it.

Each is published to the execution's own journal subject with a deterministic message id, and comes
back as an `Entry`: the message, its journal sequence and the time at which the journal took it.
Time in the core is that time, in milliseconds since the epoch; the core never asks a clock.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.workflow.captured import Captured
from shared.workflow.kept import Rerun
from shared.workflow.message_base import ENGINE, Actor, Failure, Instance, Message, Proof
from shared.workflow.operator_messages import (
    BreakpointsRequested,
    MarkRequested,
    RunNowRequested,
)
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.undo_messages import RollbackEnded, RollbackWanted

__all__ = [
    "ENGINE",
    "Actor",
    "BreakpointsRequested",
    "Failure",
    "Instance",
    "MarkRequested",
    "Message",
    "Proof",
    "RollbackEnded",
    "RollbackWanted",
    "RunNowRequested",
]


class Parent(BaseModel):
    """The step of another execution that this one is a sub-workflow of. `depth` counts the
    executions above, `root` is the topmost."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    step: str
    attempt: int
    root: str
    depth: int = 1


CauseKind = Literal[
    "manual",
    "context_detected",
    "pattern_matched",
    "scheduled",
    "external_api",
    "monitoring_alert",
]


class Cause(BaseModel):
    """What caused an execution. `source` is the schedule or the rule that asked for it, `moment_ms`
    the moment of a schedule, `evidence` what it was decided on. `chain` names the rules and the
    templates by which it goes back to where it began, so that what goes round in circles is found.
    """

    model_config = ConfigDict(frozen=True)

    kind: CauseKind = "manual"
    source: str = Field("", max_length=200)
    moment_ms: int | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)
    chain: tuple[str, ...] = ()


class ExecutionRequested(Message):
    """Run one template version with these (complete, valid) parameters.

    Those of a sub-workflow (`parent`) are checked when it begins. `timeout_s` bounds it as well as
    the template's own limit does. `pause_before` names steps before which it pauses; `rerun` has
    what it keeps of an execution that has ended.
    """

    type: Literal["execution_requested"] = "execution_requested"
    template_id: str
    template_version: str
    category: str = "custom"
    parameters: dict[str, Any] = Field(default_factory=dict)
    requested_by: Actor = Actor()
    suggested_by: Actor | None = Field(None, description="Who or what proposed to run it.")
    template_author: str = Field("", description="Who wrote this version of the template.")
    labels: dict[str, str] = Field(default_factory=dict)
    parent: Parent | None = None
    timeout_s: float | None = None
    trigger: Cause = Cause()
    pause_before: tuple[str, ...] = ()
    rerun: Rerun | None = None
    verdict: RiskVerdict | None = Field(
        None, description="What was found beforehand, and whether people must approve it for that."
    )
    to_validate: bool = Field(
        False, description="Nobody has looked at it: it is validated before it begins."
    )


class RunValidated(Message):
    """Somebody looked at an execution that waited for it: it may run (`verdict` says more, where
    there is more to say), or may not, and why."""

    type: Literal["run_validated"] = "run_validated"
    verdict: RiskVerdict | None = None
    refused: str = Field("", max_length=4_000)


class AttemptMessage(Message):
    """Base of what is reported about one leg of one attempt at one step.

    An attempt has one leg, or several where it was deferred and resumed. Of a leg there is one
    claim, however often it is offered to agents.
    """

    step: str
    attempt: int = Field(ge=1)
    leg: int = Field(0, ge=0)
    agent: str = ""
    host: str = ""


class AttemptStarted(AttemptMessage):
    """The claim of a runner, at most one of a leg: stated before anything is run, or, where running
    it twice does no harm, when it has run for a moment. What is over by then is never claimed."""

    type: Literal["attempt_started"] = "attempt_started"


class AttemptFinished(AttemptMessage):
    """The command ended; times are the agent's own clock, in milliseconds since the epoch."""

    type: Literal["attempt_finished"] = "attempt_finished"
    outcome: Literal["succeeded", "failed", "timed_out", "cancelled"]
    output: dict[str, Any] = Field(default_factory=dict)
    output_bytes: int = Field(0, ge=0)
    failure: Failure | None = None
    proof: Proof | None = None
    started_at_ms: int = 0
    finished_at_ms: int = 0
    captured: Captured | None = None


class AttemptDeferred(AttemptMessage):
    """The command waits for something outside, without an agent, until woken or until a time."""

    type: Literal["attempt_deferred"] = "attempt_deferred"
    token: str
    wake_at_ms: int | None = None
    output: dict[str, Any] = Field(default_factory=dict)
    captured: Captured | None = None


class AttemptLost(AttemptMessage):
    """The task came back from a worker that had started it: its outcome is unknown."""

    type: Literal["attempt_lost"] = "attempt_lost"
    reason: str


class AttemptReturned(AttemptMessage):
    """What was offered and never started comes back: nobody serves the pool any more."""

    type: Literal["attempt_returned"] = "attempt_returned"
    offer: int = Field(0, ge=0)
    reason: str = ""


class AttemptUnplaced(AttemptMessage):
    """No live agent fits the step."""

    type: Literal["attempt_unplaced"] = "attempt_unplaced"
    offer: int = Field(0, ge=0)
    reason: str


class AttemptWoken(AttemptMessage):
    """What a deferred attempt waited for has happened."""

    type: Literal["attempt_woken"] = "attempt_woken"
    token: str
    cause: str = ""


class LostResolved(Message):
    """A person says what became of a lost attempt (`on_lost: ask`)."""

    type: Literal["lost_resolved"] = "lost_resolved"
    step: str
    attempt: int
    verdict: Literal["completed", "failed", "rerun"]
    by: Actor = Actor()
    reason: str = ""
    output: dict[str, Any] = Field(default_factory=dict)


class TimerFired(Message):
    """A durable timer of this execution is due. A stale generation is ignored."""

    type: Literal["timer_fired"] = "timer_fired"
    timer: str
    generation: int


class CancelRequested(Message):
    """Stop the execution, and prove that what ran is gone. With `force` its `finally` steps, which
    would still run, are stopped too; with `drain` what agents have begun may finish."""

    type: Literal["cancel_requested"] = "cancel_requested"
    by: Actor = Actor()
    reason: str = ""
    force: bool = False
    drain: bool = False


class PauseRequested(Message):
    """Start nothing new; what runs may finish."""

    type: Literal["pause_requested"] = "pause_requested"
    by: Actor = Actor()
    reason: str = ""


class ResumeRequested(Message):
    """Go on after a pause: after the one whose number is `pause`, or, with 0, after any. So what is
    asked twice does not run over the next breakpoint."""

    type: Literal["resume_requested"] = "resume_requested"
    by: Actor = Actor()
    reason: str = ""
    pause: int = 0


class ApprovalMessage(Message):
    """Base of what people say to a gate. `role`, `groups` and `key` are those of the API key by
    which the gateway knew them; `subject_hash` names what the answer is about."""

    gate: str = "workflow"
    subject_hash: str = ""
    by: Actor = Actor()
    role: str = ""
    groups: tuple[str, ...] = ()
    key: str = ""
    comment: str = ""


class ApprovalAnswered(ApprovalMessage):
    """A person approved or rejected."""

    type: Literal["approval_answered"] = "approval_answered"
    approved: bool
    input: dict[str, Any] = Field(default_factory=dict)


class ApprovalDelegated(ApprovalMessage):
    """A person hands the vote to somebody else, or, to themselves, takes it back."""

    type: Literal["approval_delegated"] = "approval_delegated"
    to: str


class ChildEnded(Message):
    """A sub-workflow came to its end."""

    type: Literal["child_ended"] = "child_ended"
    step: str
    attempt: int
    child: str
    status: str
    outputs: dict[str, Any] = Field(default_factory=dict)
    failure: Failure | None = None


class Signal(BaseModel):
    """Something that happened outside; `used` once it decided a choice."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    data: dict[str, Any] = Field(default_factory=dict)
    by: Actor = Actor()
    used: bool = False


class SignalReceived(Message):
    """Something happened outside that the execution may wait for; `id` tells it from others."""

    type: Literal["signal_received"] = "signal_received"
    id: str
    name: str
    data: dict[str, Any] = Field(default_factory=dict)
    by: Actor = Actor()


class InstancesAdded(Message):
    """More items for a loop that has `after` instances by now; with any other count it is late."""

    type: Literal["instances_added"] = "instances_added"
    step: str
    after: int
    items: tuple[Any, ...]
    by: Actor = Actor()


class TargetAgent(BaseModel):
    """A live agent that a fleet was resolved to, as it was then."""

    model_config = ConfigDict(frozen=True)

    name: str
    host: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class TargetsResolved(Message):
    """Which live agents a fleet runs on, in order; `asked` names the question. `live` counts all
    that lived, `matched` those that the selector matched, which may be more than `targets`; `why`
    tells why another one did not match."""

    type: Literal["targets_resolved"] = "targets_resolved"
    step: str
    asked: int
    targets: tuple[TargetAgent, ...] = ()
    matched: int = 0
    live: int = 0
    why: str = ""


class RegionCancelRequested(Message):
    """Cancel the steps of a region, and nothing else."""

    type: Literal["region_cancel_requested"] = "region_cancel_requested"
    region: str
    by: Actor = Actor()
    reason: str = ""


class SlotMessage(Message):
    """Base of what a concurrency key says to who asked for a slot of it."""

    type: str
    slot: str
    key: str


class SlotGranted(SlotMessage):
    """It has the slot until it gives it back."""

    type: Literal["slot_granted"] = "slot_granted"


class SlotRefused(SlotMessage):
    """It does not get one."""

    type: Literal["slot_refused"] = "slot_refused"
    reason: str


class SlotRevoked(SlotMessage):
    """Somebody else shall have it: stop, and give it back."""

    type: Literal["slot_revoked"] = "slot_revoked"
    reason: str


JournalMessage = Annotated[
    ExecutionRequested
    | RunValidated
    | AttemptStarted
    | AttemptFinished
    | AttemptDeferred
    | AttemptLost
    | AttemptReturned
    | AttemptUnplaced
    | AttemptWoken
    | LostResolved
    | TimerFired
    | CancelRequested
    | PauseRequested
    | ResumeRequested
    | ApprovalAnswered
    | ApprovalDelegated
    | ChildEnded
    | SignalReceived
    | InstancesAdded
    | TargetsResolved
    | RegionCancelRequested
    | BreakpointsRequested
    | MarkRequested
    | RunNowRequested
    | SlotGranted
    | SlotRefused
    | SlotRevoked
    | RollbackWanted
    | RollbackEnded,
    Field(discriminator="type"),
]

JOURNAL_MESSAGE: TypeAdapter[JournalMessage] = TypeAdapter(JournalMessage)
"""Reads and writes any journal message as JSON."""


class Entry(BaseModel):
    """A journal message as the journal holds it: `seq` rises within an execution."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    seq: int
    at_ms: int
    message: JournalMessage
