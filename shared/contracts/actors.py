"""What the store keeps of actors in the journal: whatever lives there beside executions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.rollback.state import RollbackState
from shared.workflow.concurrency_key import KeyState


class StoredActor(BaseModel):
    """A state (which has `id`, `kind`, `status` and `changed_at_ms`) and the journal sequence that
    it has applied."""

    model_config = ConfigDict(frozen=True)

    partition: int
    seq: int
    state: Any

    def searchable(self) -> dict[str, Any]:
        """What lists are filtered by."""
        return {"kind": self.state.kind, "status": self.state.status}


class StoredRollback(StoredActor):
    """The rollbacks of one execution."""

    state: RollbackState

    def searchable(self) -> dict[str, Any]:
        """What lists are filtered and sorted by."""
        return {**super().searchable(), **self.state.searchable()}


class StoredKey(StoredActor):
    """A concurrency key."""

    state: KeyState
