"""What the store keeps of schedules and rules."""

from __future__ import annotations

from typing import Any

from shared.automation.states import RuleState
from shared.automation.turns import AnyState
from shared.contracts.actors import StoredActor


class StoredAutomation(StoredActor):
    """A schedule or a rule."""

    state: AnyState

    def searchable(self) -> dict[str, Any]:
        """What lists are filtered by."""
        receiver = self.state.spec.receiver if isinstance(self.state, RuleState) else ""
        return {**super().searchable(), "receiver": receiver}
