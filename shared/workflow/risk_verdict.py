"""What validation said of a run before it started, and what followed from that."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.workflow.approval_rule import Approval
from shared.workflow.validation_policy import Level


class RiskVerdict(BaseModel):
    """How deep a run was looked at, how much was found, and whether people must approve it for
    that. `by` is whose rule decided, `rule` its condition, `reason` its words. `failure` is the
    predicted share of runs that fail, where that was predicted."""

    model_config = ConfigDict(frozen=True)

    level: Level
    decision: Literal["run", "approve"] = "run"
    by: Literal["", "template", "installation"] = ""
    rule: str = ""
    reason: str = ""
    approval: Approval | None = None
    errors: int = 0
    warnings: int = 0
    failure: float | None = None


def asked_of(own: Approval | None, verdict: RiskVerdict | None) -> Approval | None:
    """What must be approved before a run: what its template asks, and what its risk asks, together.

    Who approves fills in the form of the template's own gate; the stricter of two wishes holds.
    """
    if verdict is None or verdict.decision != "approve":
        return own
    asked = verdict.approval or Approval()
    if own is None:
        return asked
    named = own.approvers if asked.approvers.anybody else asked.approvers
    return own.model_copy(
        update={
            "approvers": named,
            "quorum": max(own.quorum, asked.quorum),
            "allow_self_approval": own.allow_self_approval and asked.allow_self_approval,
            "comment_required": own.comment_required or asked.comment_required,
        }
    )
