"""The servers: ports in memory that keep what real servers keep, and forget what those forget."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from shared.contracts import subjects
from shared.contracts.history import StoredState
from shared.memory.bus import ACK_WAIT_MS, DUPLICATES_MS, MemoryBus
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.faults import Action, Faults
from shared.memory.journal_streams import Cursor, JournalStreams
from shared.memory.task_queue import QueuedTask, TaskQueue
from shared.ports.journal import TimerOrder
from shared.ports.store import Loaded, StateWrite
from tests.simulation.system.loop_clock import LoopClock

KEEP_S = 30.0
"""Acknowledged entries of the journal can be delivered again for so long, as in production."""


class Streams(JournalStreams):
    """A journal that keeps what is acknowledged for a while, and delivers it again now and then:
    the server that knew the acknowledgement is gone."""

    def __init__(self, clock: LoopClock, partitions: int, rng: random.Random) -> None:
        super().__init__(clock, partitions, DUPLICATES_MS)
        self._rng = rng
        self.cancels: defaultdict[str, list[int]] = defaultdict(list)
        self.appended_at: defaultdict[str, dict[int, float]] = defaultdict(dict)
        """When an entry came, by execution and sequence: seconds of the loop."""
        self.repeats_timers = 0.0
        self.forgets_acknowledgements = 0.0
        """The chance that an opening begins at the oldest entry there is."""

    def append(self, execution_id: str, payload: bytes, message_id: str | None) -> bool:
        """Store a message, and note when."""
        stored = super().append(execution_id, payload, message_id)
        if stored:
            number = subjects.partition_of(execution_id, len(self._partitions))
            seq = self._partitions[number].last_seq
            self.appended_at[execution_id][seq] = self._clock_s()
            if b'"cancel_requested"' in payload[:64]:
                self.cancels[execution_id].append(seq)
        return stored

    def _fire(self, order: TimerOrder) -> None:
        """A timer of a server that was killed may fire once more."""
        super()._fire(order)
        if self._rng.random() < self.repeats_timers:
            later_ms = self._clock.now_ms() + self._rng.randint(0, 4_000)
            self._clock.call_at(
                later_ms, lambda: _ignore(self.append(order.execution_id, order.payload, None))
            )

    def cursor_of(self, number: int) -> Cursor | None:
        """Who reads a partition now."""
        return self._partitions[number].cursor

    def acknowledge(self, cursor: Cursor, seq: int) -> None:
        """Remember how far it is; old entries go."""
        partition = self._partitions[cursor.partition]
        if partition.cursor is not cursor or seq <= partition.floor:
            return
        partition.floor = seq
        old_ms = self._clock.now_ms() - KEEP_S * 1000
        entries = partition.entries
        last = bisect_right(entries, seq, key=lambda e: e.seq)
        while last and entries[last - 1].at_ms > old_ms:
            last -= 1
        del entries[:last]

    def open(self, number: int, on_news: object) -> Cursor:
        """Take a partition over, sometimes from further back than it was acknowledged."""
        cursor = super().open(number, on_news)  # type: ignore[arg-type]
        if self._rng.random() < self.forgets_acknowledgements:
            entries = self._partitions[number].entries
            cursor.position = min(cursor.position, entries[0].seq - 1 if entries else 0)
        return cursor

    def _clock_s(self) -> float:
        assert isinstance(self._clock, LoopClock)
        return self._clock.loop_s()


class Tasks(TaskQueue):
    """Queues that deliver in any order, and can be killed: deliveries of the last moment and the
    ids of what was removed are forgotten."""

    def __init__(self, clock: LoopClock, rng: random.Random) -> None:
        super().__init__(clock, ACK_WAIT_MS, DUPLICATES_MS)
        self._rng = rng
        self.disorder = 0.0

    def take(self, pools: object, limit: int) -> list[QueuedTask]:
        """Give free tasks to a runner, not always the oldest."""
        if self._rng.random() < self.disorder:
            self._rng.shuffle(self._tasks)
        return super().take(pools, limit)  # type: ignore[arg-type]

    def restart(self) -> None:
        """The server was killed and is back."""
        there = {task.message_id for task in self._tasks}
        for known in [name for name in self._ids._known if name not in there]:
            del self._ids._known[known]
        for task in self._tasks:
            if task.alarm is not None and self._rng.random() < 0.5:
                task.deliveries = max(0, task.deliveries - 1)
                task.alarm.cancel()
                task.alarm = None
        self._news()


class Store(MemoryExecutionStore):
    """The database. Notes what must never happen: a history that is told in two ways."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self.newest: dict[str, StoredState] = {}
        self.violations: list[str] = []

    async def load(self, execution_ids: Sequence[str]) -> Loaded:
        """States as they are when they are read, which is not when they arrive."""
        loaded = await super().load(execution_ids)
        await self._faults.after(Action.LOAD, "")
        return loaded

    def _add_history(self, write: StateWrite) -> None:
        execution_id = write.stored.state.execution_id
        known = self._histories[execution_id]
        for entry in write.entries:
            text = entry.model_dump_json()
            there = known.get(entry.seq)
            if there is not None and there != text:
                self.violations.append(
                    f"{execution_id}: history of entry {entry.seq} was written in two ways: "
                    f"{there[:600]} and {text[:600]}"
                )
        super()._add_history(write)

    def _refused(self, writes: object) -> list[str]:
        refused = super()._refused(writes)  # type: ignore[arg-type]
        for write in writes:  # type: ignore[attr-defined]
            execution_id = write.stored.state.execution_id
            if execution_id not in refused:
                self.newest[execution_id] = write.stored
        return refused


def _ignore(_stored: bool) -> None:
    """An alarm gives nothing."""


def bus_of(
    clock: LoopClock, faults: Faults, partitions: int, rng: random.Random
) -> tuple[MemoryBus, Streams, Tasks]:
    """A bus with these servers."""
    bus = MemoryBus(clock, faults=faults, partitions=partitions)
    streams, tasks = Streams(clock, partitions, rng), Tasks(clock, rng)
    bus.journal, bus.tasks = streams, tasks
    return bus, streams, tasks
