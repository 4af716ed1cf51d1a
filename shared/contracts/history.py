"""What the store keeps of an execution."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.workflow.state import ExecutionState


class StoredState(BaseModel):
    """A state and the journal sequence that it has applied."""

    model_config = ConfigDict(frozen=True)

    partition: int
    seq: int
    state: ExecutionState


class Quarantined(BaseModel):
    """A journal message that could not be applied, with its reason. Times in epoch milliseconds."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    partition: int
    seq: int
    at_ms: int
    reason: str
    payload: str
