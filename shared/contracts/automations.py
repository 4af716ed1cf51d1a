"""What the store keeps of schedules."""

from __future__ import annotations

from shared.automation.turns import AnyState
from shared.contracts.actors import StoredActor


class StoredAutomation(StoredActor):
    """A schedule."""

    state: AnyState
