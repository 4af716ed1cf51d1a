"""The machine of a gate: asked, answered, and asked anew when what it was about has changed.

* A round is asked once (`requested`) and closed once: `granted`, `rejected` or `expired`. No way
  leads from time alone to `granted`.
* Votes, delegations, escalation and reminders leave it open; an answer that does not count is
  refused, also when it comes too late.
* A re-run keeps what was granted in the execution that it repeats, by the same hash (`kept`).
* What changes what will run voids the round, also a granted one; then a new round is asked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class ApprovalStatus(StrEnum):
    """Where a gate stands."""

    NONE = "none"
    REQUESTED = "requested"
    GRANTED = "granted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOIDED = "voided"


_S = ApprovalStatus

APPROVAL: Final = Machine(
    name="approval",
    initial=_S.NONE,
    terminal=frozenset({_S.REJECTED, _S.EXPIRED}),
    rows={
        "approval.requested": each(_S.NONE, _S.VOIDED, to=_S.REQUESTED),
        "approval.kept": each(_S.NONE, to=_S.GRANTED),
        "approval.voted": each(_S.REQUESTED, to=_S.REQUESTED),
        "approval.delegated": each(_S.REQUESTED, to=_S.REQUESTED),
        "approval.escalated": each(_S.REQUESTED, to=_S.REQUESTED),
        "approval.reminded": each(_S.REQUESTED, to=_S.REQUESTED),
        "approval.granted": each(_S.REQUESTED, to=_S.GRANTED),
        "approval.rejected": each(_S.REQUESTED, to=_S.REJECTED),
        "approval.expired": each(_S.REQUESTED, to=_S.EXPIRED),
        "approval.voided": each(_S.REQUESTED, _S.GRANTED, to=_S.VOIDED),
        "approval.refused": {status: status for status in _S if status is not _S.NONE},
    },
)
