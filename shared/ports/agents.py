"""The directory of live agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.agents import AgentRecord


class AgentDirectory(Protocol):
    """Agents that announced themselves within the bucket's time to live."""

    async def announce(self, record: AgentRecord) -> None:
        """Say that this agent lives."""
        ...

    async def withdraw(self, name: str) -> None:
        """Say that it is gone, without waiting for the time to live."""
        ...

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        ...
