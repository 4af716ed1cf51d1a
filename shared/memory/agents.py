"""The directory of live agents in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.agents import AgentRecord
from shared.memory.bus import MemoryBus, Perishable
from shared.memory.faults import Action


class MemoryAgentDirectory:
    """Agents of the bus; who does not announce itself for its time to live is gone."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def announce(self, record: AgentRecord) -> None:
        """Say that this agent lives."""
        await self._bus.faults.before(Action.ANNOUNCE, record.name)
        until_ms = self._bus.clock.now_ms() + self._bus.agent_ttl_ms
        self._bus.agents[record.name] = Perishable(record, until_ms)

    async def withdraw(self, name: str) -> None:
        """Say that it is gone."""
        await self._bus.faults.before(Action.ANNOUNCE, name)
        self._bus.agents.pop(name, None)

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        now = self._bus.clock.now_ms()
        live = [agent.value for agent in self._bus.agents.values() if agent.until_ms > now]
        return sorted(live, key=lambda record: record.name)
