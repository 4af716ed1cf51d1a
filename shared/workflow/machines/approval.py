"""The approval's machine: requested once, answered once."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.workflow.machines.table import Machine, each


class ApprovalStatus(StrEnum):
    """Where an approval stands."""

    NONE = "none"
    REQUESTED = "requested"
    GRANTED = "granted"
    REJECTED = "rejected"


_S = ApprovalStatus

APPROVAL: Final = Machine(
    name="approval",
    initial=_S.NONE,
    terminal=frozenset({_S.GRANTED, _S.REJECTED}),
    rows={
        "approval.requested": each(_S.NONE, to=_S.REQUESTED),
        "approval.granted": each(_S.REQUESTED, to=_S.GRANTED),
        "approval.rejected": each(_S.REQUESTED, to=_S.REJECTED),
    },
)
