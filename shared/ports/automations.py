"""Where schedules are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.contracts.automations import StoredAutomation


class AutomationStore(Protocol):
    """States, written behind by the coordinator that owns the partition."""

    async def load(self, ids: Sequence[str]) -> Mapping[str, StoredAutomation]:
        """Those that exist, deleted ones included for a while. Never an old state."""
        ...

    async def write(self, states: Sequence[StoredAutomation]) -> frozenset[str]:
        """Store them durably, each only in place of one of a lower sequence. Gives the ids of
        those where a higher one was there: another coordinator has gone on."""
        ...

    async def get(self, automation_id: str) -> StoredAutomation | None:
        """One, unless it was deleted or never was."""
        ...

    async def all(self, kind: str) -> Sequence[StoredAutomation]:
        """All of a kind that are not deleted, oldest first."""
        ...

    async def peek(self, automation_id: str) -> StoredAutomation | None:
        """One, also when it was deleted a while ago."""
        ...
