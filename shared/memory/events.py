"""Public events and progress lines in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from shared.contracts.events import PublicEvent
from shared.contracts.tasks import LogChunk
from shared.ports.events import SequencedEvent
from shared.ports.logs import SequencedLog


class MemoryEvents:
    """Stream and sink in one: keeps every event for as long as the process lives."""

    def __init__(self) -> None:
        self._events: list[SequencedEvent] = []
        self._ids: set[str] = set()
        self._about: list[tuple[str, PublicEvent]] = []
        self._more = asyncio.Condition()

    async def publish(self, event: PublicEvent, about: str = "") -> None:
        """Store an event; the same id again changes nothing."""
        async with self._more:
            if event.id not in self._ids:
                self._ids.add(event.id)
                self._about.append((event.execution_id or about or event.id, event))
                self._events.append(SequencedEvent(len(self._events) + 1, event))
                self._more.notify_all()

    async def last_seq(self) -> int:
        """Sequence of the newest event, 0 when there was none yet."""
        return len(self._events)

    async def oldest_seq(self) -> int:
        """Sequence of the oldest event: all are kept."""
        return 1

    async def read(
        self, after: int | None = None, execution_id: str | None = None
    ) -> AsyncGenerator[SequencedEvent, None]:
        """Every event after a sequence (default: those still to come), without end."""
        position = len(self._events) if after is None else after
        while True:
            async with self._more:
                while len(self._events) <= position:
                    await self._more.wait()
                found = self._events[position:]
            for event in found:
                if execution_id in (None, event.event.execution_id):
                    yield event
            position += len(found)

    async def about(
        self, subject_id: str, limit: int, *, category: str = "*"
    ) -> Sequence[PublicEvent]:
        """The events about one thing, at most the last so many."""
        found = [event for about, event in self._about if about == subject_id]
        return [e for e in found if category in ("*", e.type.partition(".")[0])][-limit:]


class MemoryLogs:
    """Keeps every chunk for as long as the process lives."""

    def __init__(self) -> None:
        self._chunks: list[SequencedLog] = []
        self._more = asyncio.Condition()

    async def write(self, chunk: LogChunk) -> None:
        """Store a chunk."""
        async with self._more:
            self._chunks.append(SequencedLog(len(self._chunks) + 1, chunk))
            self._more.notify_all()

    async def read(
        self,
        execution_id: str,
        *,
        step: str | None = None,
        attempt: int | None = None,
        after: int = 0,
        follow: bool = False,
    ) -> AsyncGenerator[SequencedLog, None]:
        """The chunks of an execution after a sequence, in order."""
        position = after
        while True:
            for kept in self._chunks[position:]:
                chunk = kept.chunk
                fits = step in (None, chunk.step) and attempt in (None, chunk.attempt)
                if chunk.execution_id == execution_id and fits:
                    yield kept
                position = kept.seq
            if not follow:
                return
            async with self._more:
                while len(self._chunks) <= position:
                    await self._more.wait()
