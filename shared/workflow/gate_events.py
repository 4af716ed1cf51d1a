"""Events of gates: who was asked, what they said, what became of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shared.workflow.approval_rule import Approval, Approvers
from shared.workflow.event_base import Event
from shared.workflow.gate_state import SIMPLE, WORKFLOW_GATE
from shared.workflow.messages import Actor


class GateEvent(Event):
    """Base of what happens to a gate, in one of its rounds."""

    gate: str = WORKFLOW_GATE
    round: int = 1


class ApprovalRequested(GateEvent):
    """A gate asks for approval of exactly what `subject_hash` names."""

    type: Literal["approval.requested"] = "approval.requested"
    step: str = ""
    targets: tuple[str, ...] = ()
    rule: Approval = SIMPLE
    subject_hash: str = ""


class GateAnswer(GateEvent):
    """Base of answers. `key` is the API key of who answers, `for_whom` whose vote it is, where
    that was handed over."""

    by: Actor
    comment: str = ""
    subject_hash: str = ""
    key: str = ""
    for_whom: str = ""


class ApprovalVoted(GateAnswer):
    """A person approved; more must. With what was filled in the subject has the hash `bound`."""

    type: Literal["approval.voted"] = "approval.voted"
    input: dict[str, Any] = Field(default_factory=dict)
    bound: str = ""


class ApprovalGranted(GateAnswer):
    """Enough people approved; this was the last of them."""

    type: Literal["approval.granted"] = "approval.granted"
    input: dict[str, Any] = Field(default_factory=dict)
    bound: str = ""


class ApprovalRejected(GateAnswer):
    """A person rejected."""

    type: Literal["approval.rejected"] = "approval.rejected"


class ApprovalRefused(GateAnswer):
    """An answer does not count, and why."""

    type: Literal["approval.refused"] = "approval.refused"
    reason: str


class ApprovalDelegated(GateAnswer):
    """A person handed the vote to somebody else, or took it back."""

    type: Literal["approval.delegated"] = "approval.delegated"
    to: str


class ApprovalEscalated(GateEvent):
    """Nobody answered in time: others may answer, too."""

    type: Literal["approval.escalated"] = "approval.escalated"
    to: Approvers


class ApprovalReminded(GateEvent):
    """Approvers are reminded; `number` counts the reminders of this round."""

    type: Literal["approval.reminded"] = "approval.reminded"
    number: int


class ApprovalExpired(GateEvent):
    """Nobody answered in time: the same as a rejection."""

    type: Literal["approval.expired"] = "approval.expired"


class ApprovalVoided(GateEvent):
    """What was approved, or to be approved, is not what will run any more. `by` is who changed it,
    and may not answer the next round."""

    type: Literal["approval.voided"] = "approval.voided"
    reason: str
    by: Actor | None = None
