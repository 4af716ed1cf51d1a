"""The journal in memory."""

from __future__ import annotations

import asyncio

from shared.memory.bus import MemoryBus
from shared.memory.faults import Action
from shared.memory.journal_streams import Cursor
from shared.ports.journal import RawEntry, Taken
from shared.workflow.messages import Message


class MemoryJournal:
    """States facts and requests."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message; false when one of the same id was stored before."""
        await self._bus.faults.before(Action.APPEND, execution_id)
        payload = message.model_dump_json().encode()
        stored = self._bus.journal.append(execution_id, payload, message_id)
        await self._bus.faults.after(Action.APPEND, execution_id)
        return stored


class MemoryJournalReader:
    """Reads the partitions that one coordinator owns."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._cursors: dict[int, Cursor] = {}
        self._news = asyncio.Event()

    async def open(self, partition: int) -> int:
        """Take a partition over; gives the sequence up to which all is acknowledged."""
        await self.close(partition)
        self._cursors[partition] = self._bus.journal.open(partition, self._news.set)
        return self._bus.journal.floor(partition)

    async def close(self, partition: int) -> None:
        """Stop reading a partition."""
        cursor = self._cursors.pop(partition, None)
        if cursor is not None:
            self._bus.journal.close(cursor)

    async def take(self, limit: int) -> Taken:
        """Wait for something to do, then give what is there."""
        await self._news.wait()
        lost = [partition for partition, cursor in self._cursors.items() if cursor.lost]
        for partition in lost:
            del self._cursors[partition]
        entries: list[RawEntry] = []
        for cursor in self._cursors.values():
            entries += self._read(cursor, limit - len(entries))
        if len(entries) < limit:
            self._news.clear()
        self._take_turns()
        return Taken(entries, lost)

    async def last_seq(self, partition: int) -> int:
        """The sequence of the newest entry of a partition, 0 when it never had one."""
        return self._bus.journal.last_seq(partition)

    async def acknowledge(self, partition: int, seq: int) -> None:
        """Everything of the partition up to `seq` is stored."""
        cursor = self._cursors.get(partition)
        if cursor is not None:
            await self._bus.faults.before(Action.ACKNOWLEDGE_ENTRIES, str(partition))
            self._bus.journal.acknowledge(cursor, seq)
            await self._bus.faults.after(Action.ACKNOWLEDGE_ENTRIES, str(partition))

    def _read(self, cursor: Cursor, limit: int) -> list[RawEntry]:
        found = self._bus.journal.after(cursor, limit)
        return [e._replace(redelivered=e.seq <= cursor.caught_up_at) for e in found]

    def _take_turns(self) -> None:
        """The partition served first this time comes last the next, so that none starves."""
        if self._cursors:
            first = next(iter(self._cursors))
            self._cursors[first] = self._cursors.pop(first)
