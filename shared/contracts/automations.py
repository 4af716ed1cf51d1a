"""What the store keeps of schedules."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.automation.turns import AnyState

ANY_STATE: TypeAdapter[AnyState] = TypeAdapter(AnyState)
"""Reads and writes any state as JSON."""


class StoredAutomation(BaseModel):
    """A state and the journal sequence that it has applied."""

    model_config = ConfigDict(frozen=True)

    partition: int
    seq: int
    state: AnyState

    def searchable(self) -> dict[str, Any]:
        """What lists are filtered by."""
        return {"kind": self.state.kind, "status": self.state.status}
