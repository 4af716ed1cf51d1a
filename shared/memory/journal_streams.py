"""The journal's streams as a server holds them: entries by partition, timers, and who reads.

As on JetStream, several partitions share a stream and so a sequence, which timers use up too: the
sequences of a partition rise, with gaps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.contracts import subjects
from shared.memory.clock import Alarm, ManualClock
from shared.memory.message_ids import MessageIds
from shared.ports.journal import RawEntry, TimerOrder


@dataclass(slots=True, eq=False)
class Cursor:
    """One reader's place in one partition; `on_news` is called when there is something to do."""

    partition: int
    on_news: Callable[[], None]
    position: int
    caught_up_at: int
    """The stream's last sequence when the partition was opened."""
    lost: bool = False


@dataclass(slots=True)
class _Stream:
    ids: MessageIds
    last_seq: int = 0

    def next_seq(self) -> int:
        self.last_seq += 1
        return self.last_seq


@dataclass(slots=True)
class _Partition:
    stream: _Stream
    entries: list[RawEntry] = field(default_factory=list)
    last_seq: int = 0
    floor: int = 0
    cursor: Cursor | None = None


class JournalStreams:
    """All partitions of the journal, and the timers that put messages into it."""

    def __init__(self, clock: ManualClock, partitions: int, duplicates_ms: int) -> None:
        self._clock = clock
        names = {subjects.journal_stream(p) for p in range(partitions)}
        self._streams = {name: _Stream(MessageIds(clock, duplicates_ms)) for name in names}
        self._partitions = [
            _Partition(self._streams[subjects.journal_stream(p)]) for p in range(partitions)
        ]
        self._timers: dict[tuple[str, str], Alarm] = {}

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return len(self._timers)

    def append(self, execution_id: str, payload: bytes, message_id: str | None) -> bool:
        """Store a message; false when its id is known. Bytes are not looked at."""
        number = subjects.partition_of(execution_id, len(self._partitions))
        partition = self._partitions[number]
        if message_id is not None and not partition.stream.ids.is_new(message_id):
            return False
        seq = partition.last_seq = partition.stream.next_seq()
        entry = RawEntry(number, execution_id, seq, self._clock.now_ms(), payload)
        partition.entries.append(entry)
        if partition.cursor is not None:
            partition.cursor.on_news()
        return True

    def open(self, number: int, on_news: Callable[[], None]) -> Cursor:
        """Take a partition over: the cursor that read it before is lost."""
        partition = self._partitions[number]
        if partition.cursor is not None:
            partition.cursor.lost = True
            partition.cursor.on_news()
        cursor = Cursor(number, on_news, partition.floor, partition.stream.last_seq)
        partition.cursor = cursor
        if partition.entries:
            on_news()
        return cursor

    def close(self, cursor: Cursor) -> None:
        """Stop reading."""
        partition = self._partitions[cursor.partition]
        if partition.cursor is cursor:
            partition.cursor = None

    def after(self, cursor: Cursor, limit: int) -> list[RawEntry]:
        """The next entries for a cursor that is not lost, which moves on."""
        entries = self._partitions[cursor.partition].entries
        start = bisect_right(entries, cursor.position, key=lambda entry: entry.seq)
        found = entries[start : start + limit]
        if found:
            cursor.position = found[-1].seq
        return found

    def acknowledge(self, cursor: Cursor, seq: int) -> None:
        """Forget entries up to `seq`; a lost cursor's word counts no more."""
        partition = self._partitions[cursor.partition]
        if partition.cursor is cursor and seq > partition.floor:
            partition.floor = seq
            del partition.entries[: bisect_right(partition.entries, seq, key=lambda e: e.seq)]

    def floor(self, number: int) -> int:
        """The sequence up to which a partition is acknowledged."""
        return self._partitions[number].floor

    def last_seq(self, number: int) -> int:
        """The sequence of a partition's newest entry, 0 when it never had one."""
        return self._partitions[number].last_seq

    def set_timer(self, order: TimerOrder, message_id: str) -> None:
        """Set a timer, replacing the one of its name. One that is past fires at once."""
        number = subjects.partition_of(order.execution_id, len(self._partitions))
        stream = self._partitions[number].stream
        if not stream.ids.is_new(message_id):
            return
        stream.next_seq()
        self.clear_timer(order.execution_id, order.name)
        key = (order.execution_id, order.name)
        if order.due_ms <= self._clock.now_ms():
            self.append(order.execution_id, order.payload, None)
        else:
            self._timers[key] = self._clock.call_at(order.due_ms, lambda: self._fire(order))

    def clear_timer(self, execution_id: str, name: str) -> None:
        """Forget a timer."""
        alarm = self._timers.pop((execution_id, name), None)
        if alarm is not None:
            alarm.cancel()

    def clear_timers(self, execution_id: str) -> None:
        """Forget all timers of an execution."""
        for owner, name in [key for key in self._timers if key[0] == execution_id]:
            self.clear_timer(owner, name)

    def _fire(self, order: TimerOrder) -> None:
        del self._timers[order.execution_id, order.name]
        self.append(order.execution_id, order.payload, None)
