"""Where schedules and rules are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.automations import StoredAutomation
from shared.ports.actors import ActorStore


class AutomationStore(ActorStore[StoredAutomation], Protocol):
    """Schedules and rules."""

    async def ids_of(self, receiver: str) -> Sequence[str]:
        """The ids of the rules of a receiver that are not deleted."""
        ...
