"""Approvals as the gateway gives and takes them. Times in epoch milliseconds, 0 for not yet."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.workflow.approval_rule import Approvers
from shared.workflow.approval_subject import ApprovalSubject
from shared.workflow.gate_state import Refusal, Vote
from shared.workflow.messages import Actor
from shared.workflow.names import Slug

SUBJECT_HASH = r"^[0-9a-f]{64}$"


Predicted = Literal["none", "reversible", "irreversible", "unknown"]


class AnswerBody(BaseModel):
    """An answer to a gate. An approval names the `subject_hash` of what it approves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: str | None = Field(
        None, max_length=200, description="Which gate; needed where several are open."
    )
    subject_hash: str | None = Field(None, pattern=SUBJECT_HASH)
    comment: str = Field("", max_length=1_000)
    input: dict[str, Any] = Field(
        default_factory=dict, description="What the gate's form asks for, by name."
    )


class DelegateBody(BaseModel):
    """Hand one's vote over to who acts with another key; to oneself: take it back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Slug
    gate: str | None = Field(None, max_length=200)
    comment: str = Field("", max_length=1_000)


class PredictedEffects(BaseModel):
    """What a step is expected to change, and whether there is a way back."""

    model_config = ConfigDict(frozen=True)

    step: str
    command: str
    effects: Predicted
    rollback: bool


class ApprovalView(BaseModel):
    """One gate of one execution, with exactly what an answer is about.

    `subject_hash` is SHA-256 over `subject` as canonical JSON (keys sorted, no blanks, UTF-8).
    `why_not` says why the key that asks may not answer; empty when it may.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    template_version: str
    template_name: str = ""
    gate: str
    step: str = ""
    round: int
    status: str
    requested_by: Actor
    requested_at_ms: int
    closed_at_ms: int = 0
    subject_hash: str
    subject: ApprovalSubject | None = None
    subject_problem: str = ""
    effects: tuple[PredictedEffects, ...] = ()
    quorum: int = 1
    approvers: tuple[Approvers, ...] = ()
    comment_required: bool = False
    form: dict[str, Any] = Field(
        default_factory=dict, description="JSON Schema of the input; empty without a form."
    )
    input: dict[str, Any] = Field(default_factory=dict)
    votes: tuple[Vote, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    delegated: dict[str, str] = Field(default_factory=dict)
    escalated: bool = False
    escalates_at_ms: int = 0
    expires_at_ms: int = 0
    hash_required: bool = True
    why_not: str = ""


class ExecutionApprovals(BaseModel):
    """Every gate of one execution that was asked at, open ones first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ApprovalView, ...]


class ApprovalPage(BaseModel):
    """Open gates, those of the newest executions first. A page may hold fewer than were asked for,
    also none; `next_cursor` asks for the page after it."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ApprovalView, ...]
    next_cursor: str | None = None
