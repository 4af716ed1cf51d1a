"""An execution as it was, and who did what to it. Times in epoch milliseconds.

On its own, because these know messages and events of the core.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.api.executions import ExecutionView
from shared.contracts.events import PublicEvent
from shared.workflow.provenance import Deed
from shared.workflow.replay import Divergence


class ReplayedEvent(BaseModel):
    """One event of a history: its number from 1, and the journal entry that led to it."""

    model_config = ConfigDict(frozen=True)

    number: int
    seq: int
    at_ms: int
    type: str
    data: dict[str, Any]


class ReplayView(BaseModel):
    """An execution right after one of its events, made of its history.

    `events` counts all of them. `divergence` is the first place where this version of the code
    decides otherwise than was recorded; where that could not be looked for, `unchecked` says why.
    Sealed values are masked.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    events: int
    event: ReplayedEvent
    state: ExecutionView
    divergence: Divergence | None = None
    unchecked: str = ""


class ProvenanceView(BaseModel):
    """Who or what suggested, started, approved and changed an execution, in order.

    `audit` has the calls of the API about it that are still in the audit trail; for admins only.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    deeds: tuple[Deed, ...]
    audit: tuple[PublicEvent, ...] = Field(())
