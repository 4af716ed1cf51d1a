"""Samples of what only the bus knows: sizes of streams, lengths of queues, lag of partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from services.executor.coordinator.coordinator import Coordinator
from services.executor.placement import LiveAgents
from shared.ports.bus import BusSamples
from shared.runtime.meters import CoordinatorMeter

log = structlog.get_logger()

EVERY_S: Final = 5.0


class Sampler:
    """Reads the samples every few seconds into the coordinator's meter."""

    def __init__(
        self,
        bus: BusSamples,
        coordinator: Coordinator,
        agents: LiveAgents,
        pending: Callable[[], int],
        meter: CoordinatorMeter,
    ) -> None:
        self._bus = bus
        self._coordinator = coordinator
        self._agents = agents
        self._pending = pending
        self._meter = meter
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="sampler")

    async def close(self) -> None:
        """Sample no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                await self._sample()
            except (TimeoutError, OSError) as error:
                self._meter.errors.count("nats")
                log.debug("no samples now", error=str(error) or type(error).__name__)
            except Exception as error:
                self._meter.errors.count("nats")
                log.info("no samples now", error=str(error) or type(error).__name__)
            await asyncio.sleep(EVERY_S)

    async def _sample(self) -> None:
        self._meter.agents_live.set(len(self._agents.now))
        self._meter.effects_pending.set(self._pending())
        for stream in await self._bus.streams():
            self._meter.stream(stream.name, stream.messages, stream.size_bytes)
        for kind, waiting in (await self._bus.queues()).items():
            self._meter.queue(kind, waiting)
        for partition in sorted(self._coordinator.keeper.held):
            self._meter.lag(partition, await self._bus.lag(partition))
