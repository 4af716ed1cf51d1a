"""The runner's side of the task queues, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import ValidationError

from shared.contracts import subjects
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.faults import Action
from shared.memory.task_queue import QueuedTask


class MemoryTaskDelivery:
    """One task, until acknowledged."""

    def __init__(self, bus: MemoryBus, queued: QueuedTask) -> None:
        self._bus = bus
        self._queued = queued
        self.payload = queued.payload
        self.task = _parse(queued.payload)
        self.deliveries = queued.deliveries
        self.age_ms = bus.clock.now_ms() - queued.queued_at_ms
        self.resent = queued.resent

    async def acknowledge(self) -> None:
        """The task is done with."""
        await self._bus.faults.before(Action.ACKNOWLEDGE_TASK, self._queued.execution_id)
        self._bus.tasks.acknowledge(self._queued)

    async def in_progress(self) -> None:
        """Still working on it."""
        await self._bus.faults.before(Action.IN_PROGRESS, self._queued.execution_id)
        self._bus.tasks.in_progress(self._queued)

    async def hand_back(self, delay_s: float = 0) -> None:
        """Give it to another runner."""
        await self._bus.faults.before(Action.HAND_BACK, self._queued.execution_id)
        self._bus.tasks.hand_back(self._queued, self.deliveries, round(delay_s * 1000))


def _parse(payload: bytes) -> Task | None:
    try:
        return Task.model_validate_json(payload)
    except ValidationError:
        return None


class MemoryTaskFeed:
    """Takes from every pool of one agent, as many tasks as it has free slots."""

    def __init__(
        self,
        bus: MemoryBus,
        agent: str,
        capabilities: Sequence[str],
        *,
        slots: int,
        pools: Sequence[str] = (),
    ) -> None:
        """The pools are those of the agent, unless others are named."""
        self._bus = bus
        self._pools = frozenset(
            pools
            or (
                subjects.pool_any(),
                *(subjects.pool_capability(c) for c in capabilities),
                subjects.pool_host(agent),
            )
        )
        self._slots = slots
        self._in_hand = 0
        self._closed = False
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Begin."""
        self._bus.tasks.watch(self._news.set)
        self._news.set()

    async def take(self, limit: int) -> Sequence[MemoryTaskDelivery]:
        """Wait for at least one task, then give what is there; nothing once it is closed."""
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            taken = self._take_now(limit)
            if taken:
                self._news.set()
                return taken
        await asyncio.sleep(0)  # whoever takes in a loop can be cancelled
        return []

    async def done(self, count: int = 1) -> None:
        """Slots are free again."""
        self._in_hand = max(0, self._in_hand - count)
        self._news.set()

    async def close(self) -> None:
        """Ask for no more."""
        if not self._closed:
            self._closed = True
            self._bus.tasks.unwatch(self._news.set)
            self._news.set()

    def _take_now(self, limit: int) -> list[MemoryTaskDelivery]:
        free = min(limit, self._slots - self._in_hand)
        if self._closed or free <= 0:
            return []
        queued = self._bus.tasks.take(self._pools, free)
        self._in_hand += len(queued)
        return [MemoryTaskDelivery(self._bus, task) for task in queued]


class MemoryTaskPools:
    """All pools."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def occupied(self) -> Sequence[str]:
        """The pools that hold tasks, waiting or in the hands of a runner."""
        return self._bus.tasks.pools()

    async def take(self, pool: str, limit: int) -> Sequence[MemoryTaskDelivery]:
        """Tasks of a pool that no runner has."""
        return [MemoryTaskDelivery(self._bus, t) for t in self._bus.tasks.take({pool}, limit)]
