"""The state of one gate, as part of the state of its execution."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.approval_rule import Approval, Approvers
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.message_base import ENGINE, Actor

WORKFLOW_GATE: Final = "workflow"
"""The gate before anything starts. A gate before a step has the step's name."""

SIMPLE: Final = Approval(allow_self_approval=True)
"""What `approval_required` alone asks for: one answer of anybody who may approve."""

MAX_REFUSALS: Final = 50
"""Answers that did not count, kept for one round."""


class Vote(BaseModel):
    """An answer that counts. `key` is the API key it came from; `for_whom` whose vote it is, where
    that was handed over."""

    model_config = ConfigDict(frozen=True)

    by: Actor
    approved: bool
    at_ms: int
    subject_hash: str = ""
    comment: str = ""
    key: str = ""
    for_whom: str = ""


class Refusal(BaseModel):
    """An answer that did not count, and why."""

    model_config = ConfigDict(frozen=True)

    by: Actor
    reason: str
    subject_hash: str = ""
    key: str = ""


class GateState(BaseModel):
    """One gate in its newest round.

    `subject_hash` names exactly what an answer is about. `step` is what it holds back, empty for
    everything; `targets` where a part of that step is to run, where it comes in batches.
    `delegated` is who handed the vote over to whom; `barred` who changed what runs. `kept_from` is
    the execution in which it was granted, where a re-run kept that.
    """

    model_config = ConfigDict(frozen=True)

    status: ApprovalStatus = ApprovalStatus.NONE
    round: int = 0
    step: str = ""
    targets: tuple[str, ...] = ()
    rule: Approval = SIMPLE
    subject_hash: str = ""
    requested_at_ms: int = 0
    closed_at_ms: int = 0
    input: dict[str, Any] = Field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    delegated: dict[str, str] = Field(default_factory=dict)
    escalated: bool = False
    reminders: int = 0
    barred: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    kept_from: str = ""

    @property
    def is_open(self) -> bool:
        """True while it waits for answers."""
        return self.status is ApprovalStatus.REQUESTED

    @property
    def needs_hash(self) -> bool:
        """Whether an approval must name the hash that it approves.

        Not where it cannot be in doubt: the simple form in its first round stands for what was
        asked for, and for nothing else.
        """
        return self.rule != SIMPLE or self.round > 1

    @property
    def approvers(self) -> tuple[Approvers, ...]:
        """Whoever fits one of these may answer now."""
        escalated = self.rule.escalate_to if self.escalated else None
        return (self.rule.approvers, escalated) if escalated else (self.rule.approvers,)


def is_refused(gate: GateState) -> bool:
    """True when what is behind the gate will not run."""
    return gate.status in (ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED)


def is_decided(gate: GateState) -> bool:
    """True when people, or their silence, have decided."""
    return gate.status is ApprovalStatus.GRANTED or is_refused(gate)


def closing_words(gate: GateState) -> tuple[Actor, str]:
    """Who closed a refused gate, and why."""
    if gate.status is ApprovalStatus.EXPIRED:
        return ENGINE, "was not approved in time"
    vote = gate.votes[-1]
    return vote.by, f"rejected by {vote.by.id}" + (f": {vote.comment}" if vote.comment else "")
