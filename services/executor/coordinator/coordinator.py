"""The coordinator: takes batches from the journal of its partitions, for ever.

The batch is the transaction: fold, decide, send the effects, write states and histories behind,
acknowledge last. A crash anywhere replays what was not acknowledged; decisions are deterministic,
effects carry deterministic ids, states know the sequence they have applied.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog

from services.executor.coordinator.actors import Actors
from services.executor.coordinator.cache import StateCache
from services.executor.coordinator.claims import ClaimDesk
from services.executor.coordinator.partitions import PartitionKeeper
from services.executor.coordinator.programs import Programs
from services.executor.coordinator.translation import Agents, Translator
from services.executor.coordinator.turns import Batch, Turns
from services.executor.coordinator.writer import WriteBehind
from shared.contracts import subjects
from shared.contracts.claims import ClaimAnswer, ClaimQuestion
from shared.ports.effects import Effects
from shared.ports.journal import JournalReader
from shared.ports.leases import Leases
from shared.ports.store import ExecutionStore
from shared.runtime.meters import CoordinatorMeter

log = structlog.get_logger()

BATCH: Final = 512
"""Entries in one turn."""
STORE_RETRY_S: Final = 0.5


class Coordinator:
    """One coordinator of several that share the partitions."""

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        owner: str,
        reader: JournalReader,
        effects: Effects,
        store: ExecutionStore,
        programs: Programs,
        leases: Leases,
        agents: Agents,
        meter: CoordinatorMeter,
        actors: Actors | None = None,
        partitions: int = subjects.PARTITIONS,
    ) -> None:
        self._reader = reader
        self._meter = meter
        self.cache = StateCache()
        self.writer = WriteBehind(
            store,
            reader,
            on_superseded=self._on_superseded,
            on_written=self._on_written,
            meter=meter,
            actors=actors,
        )
        self.turns = Turns(
            store=store,
            effects=effects,
            programs=programs,
            translator=Translator(effects, agents),
            writer=self.writer,
            cache=self.cache,
            meter=meter,
            actors=actors,
        )
        self.keeper = PartitionKeeper(
            leases, owner, on_gained=self._open, on_lost=self._close, partitions=partitions
        )
        self.claims = ClaimDesk(reader, self.turns, self.cache, store)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def loops(self) -> Sequence[asyncio.Task[None]]:
        """What must run for as long as this coordinator does."""
        return self._tasks

    async def start(self) -> None:
        """Take partitions and begin."""
        self._tasks = [
            asyncio.create_task(self.writer.run(), name="writer"),
            asyncio.create_task(self._run(), name="turns"),
        ]
        await self.keeper.start()

    async def answer_claim(self, partition: int, question: ClaimQuestion) -> ClaimAnswer | None:
        """Answer a runner in doubt, if the partition is ours."""
        if partition not in self.keeper.held:
            return None
        return await self.claims.answer(partition, question)

    async def close(self) -> None:
        """Take no more, write what is in hand, give the partitions up."""
        if not self._tasks:
            return
        writer, turns = self._tasks
        turns.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await turns
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.writer.drained()
        for partition in sorted(self.keeper.held):
            await self._reader.close(partition)
        await self.keeper.close()
        writer.cancel()

    async def _run(self) -> None:
        while True:
            await self.writer.has_room()
            taken = await self._reader.take(BATCH)
            batch = self.turns.batch(taken.entries)
            for partition in taken.lost:
                log.info("journal reader was cut off", partition=partition)
                self._forget(partition)
                self.keeper.reader_lost(partition)
            if batch.entries:
                await self._apply_until_done(batch)

    async def _apply_until_done(self, batch: Batch) -> None:
        """Apply a batch; while the store cannot be read, wait and try the whole batch again."""
        while True:
            try:
                await self.turns.prepare(batch)
                break
            except Exception as error:
                self._meter.errors.count("mongo")
                log.warning("store not read, trying again", error=str(error)[:300])
                await asyncio.sleep(STORE_RETRY_S)
        self.turns.apply(batch)

    async def _open(self, partition: int) -> None:
        """Read it from what is acknowledged; what an earlier opening brought is given up."""
        await self._reader.close(partition)
        self._forget(partition)
        self.turns.begin(partition)
        floor = await self._reader.open(partition)
        self.turns.opened(partition, floor)
        log.info("partition opened", partition=partition, floor=floor)
        self._meter.hold(self.keeper.held)

    async def _close(self, partition: int) -> None:
        await self._reader.close(partition)
        self._forget(partition)
        self._meter.hold(self.keeper.held)

    def _forget(self, partition: int) -> None:
        self.writer.forget(partition)
        self.cache.drop_partition(partition)
        self.turns.end(partition)

    def _on_superseded(self, partition: int) -> None:
        log.warning("another coordinator has gone on", partition=partition)
        self._forget(partition)
        self.keeper.reader_lost(partition)

    def _on_written(self, written: frozenset[str]) -> None:
        self.cache.drop_stored(written, self.writer.dirty)
