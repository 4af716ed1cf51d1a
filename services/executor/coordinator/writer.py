"""Write-behind: states and histories go to the store in bulk, and only then is the journal told.

The law:

* Effects first, then what was put aside, then histories and states, the acknowledgement last.
  Whoever takes over skips what a stored state has applied: its effects must be there by then.
* Of a partition that was given up nothing is written or acknowledged any more, also of what is
  being written just then: its next owner applies it again.
* What changed while a write was under way is written next; of several states of one execution only
  the newest is written, of its history every entry.
* The store may be away for long: writing is tried again until it succeeds, and `has_room` makes the
  coordinator wait rather than let the pile grow without bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import structlog

from services.executor.coordinator.actors import Actors
from shared.contracts.actors import StoredActor
from shared.contracts.history import Quarantined, StoredState
from shared.ports.journal import JournalReader
from shared.ports.store import ExecutionStore, StateWrite
from shared.runtime.meters import CoordinatorMeter, timed
from shared.workflow.replay import HistoryEntry

log = structlog.get_logger()

T = TypeVar("T")

GATHER_S: Final = 0.02
"""How long changes are gathered before they are written."""
BUSY_GATHER_S: Final = 0.5
"""So long at the most while many come: of several changes of one execution only the newest state is
written, and a bulk costs less a piece the larger it is."""
BUSY_ENTRIES: Final = 100
FULL_ENTRIES: Final = 4_000
"""Between these counts of waiting history entries gathering goes on."""
MOST_WRITES: Final = 1_000
"""Executions in one bulk write."""
MOST_ENTRIES: Final = 20_000
"""History entries that may wait to be written."""
RETRY_S: Final = 0.5


@dataclass(slots=True)
class _Dirty:
    stored: StoredState
    entries: list[HistoryEntry] = field(default_factory=list)


class WriteBehind:
    """Gathers what changed, writes it, and acknowledges."""

    def __init__(
        self,
        store: ExecutionStore,
        reader: JournalReader,
        *,
        on_superseded: Callable[[int], None],
        on_written: Callable[[frozenset[str]], None],
        meter: CoordinatorMeter,
        actors: Actors | None = None,
    ) -> None:
        self._actors = actors
        self._store = store
        self._reader = reader
        self._on_superseded = on_superseded
        self._on_written = on_written
        self._meter = meter
        self._dirty: dict[str, _Dirty] = {}
        self._flights: list[Awaitable[None]] = []
        self._floors: dict[int, int] = {}
        self._quarantined: list[Quarantined] = []
        self._forgotten: set[int] = set()
        """Partitions that were given up since the write under way began."""
        self._waiting_entries = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def dirty(self) -> frozenset[str]:
        """Ids of the executions whose newest state is not stored yet."""
        return frozenset(self._dirty)

    def changed(self, stored: StoredState, entry: HistoryEntry) -> None:
        """An execution has a new state, by this entry."""
        dirty = self._dirty.setdefault(stored.state.execution_id, _Dirty(stored))
        dirty.stored = stored
        dirty.entries.append(entry)
        self._waiting_entries += 1

    def quarantine(self, message: Quarantined) -> None:
        """A message that could not be applied: kept with its reason, before it is acknowledged."""
        self._quarantined.append(message)

    def turn_done(self, flight: Awaitable[None], floors: Mapping[int, int]) -> None:
        """A turn is over: its effects are under way, and it took each partition up to here."""
        self._flights.append(flight)
        self._floors.update(floors)
        self._idle.clear()
        self._work.set()
        if self._waiting_entries > MOST_ENTRIES:
            self._room.clear()

    async def has_room(self) -> None:
        """Wait until the pile is small enough to add to it."""
        await self._room.wait()

    async def drained(self) -> None:
        """Wait until everything so far is written and acknowledged."""
        await self._idle.wait()

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's: write and acknowledge nothing of it any more."""
        self._forgotten.add(partition)
        self._floors.pop(partition, None)
        self._quarantined = [q for q in self._quarantined if q.partition != partition]
        for execution_id in [e for e, d in self._dirty.items() if d.stored.partition == partition]:
            self._waiting_entries -= len(self._dirty.pop(execution_id).entries)
        if self._actors is not None:
            self._actors.forget(partition)

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._work.wait()
            await self._gather()
            self._work.clear()
            with timed(self._meter.flush):
                await self._flush()
            if not self._work.is_set():
                self._idle.set()

    async def _gather(self) -> None:
        for _ in range(round(BUSY_GATHER_S / GATHER_S)):
            await asyncio.sleep(GATHER_S)
            if not BUSY_ENTRIES <= self._waiting_entries < FULL_ENTRIES:
                return

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        flights, self._flights = self._flights, []
        floors, self._floors = self._floors, {}
        quarantined, self._quarantined = self._quarantined, []
        self._forgotten.clear()
        automated = self._actors.take() if self._actors is not None else ()
        self._waiting_entries = 0
        self._room.set()
        with timed(self._meter.commit):
            for flight in flights:
                await flight
        for message in quarantined:
            await self._until_stored(partial(self._put_aside, message))
        await self._write(list(dirty.values()))
        if self._actors is not None and automated:
            await self._write_actors(self._actors, automated)
        for partition, seq in floors.items():
            if partition not in self._forgotten:
                await self._reader.acknowledge(partition, seq)
        self._on_written(frozenset(e for e, d in dirty.items() if self._is_kept(d)))

    async def _put_aside(self, message: Quarantined) -> None:
        if message.partition not in self._forgotten:
            await self._store.quarantine(message)

    async def _write(self, dirty: Sequence[_Dirty]) -> None:
        for start in range(0, len(dirty), MOST_WRITES):
            some = dirty[start : start + MOST_WRITES]
            superseded = await self._until_stored(partial(self._write_kept, some))
            for one in some:
                if one.stored.state.execution_id in superseded:
                    self._on_superseded(one.stored.partition)

    async def _write_kept(self, dirty: Sequence[_Dirty]) -> frozenset[str]:
        kept = [StateWrite(d.stored, tuple(d.entries)) for d in dirty if self._is_kept(d)]
        return await self._store.write(kept)

    def _is_kept(self, dirty: _Dirty) -> bool:
        return dirty.stored.partition not in self._forgotten

    async def _write_actors(self, actors: Actors, changed: Sequence[StoredActor]) -> None:
        async def store_kept() -> frozenset[int]:
            return await actors.store(
                [one for one in changed if one.partition not in self._forgotten]
            )

        for partition in await self._until_stored(store_kept):
            self._on_superseded(partition)

    async def _until_stored(self, write: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await write()
            except Exception as error:
                self._meter.errors.count("mongo")
                log.warning("store not written, trying again", error=str(error)[:300])
                await asyncio.sleep(RETRY_S)
