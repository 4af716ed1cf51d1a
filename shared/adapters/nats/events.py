"""Public events and progress lines on JetStream."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import structlog
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.reading import first_sequence, last_sequence, read_stream
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.contracts.tasks import LogChunk
from shared.ports.events import SequencedEvent
from shared.ports.logs import SequencedLog

log = structlog.get_logger()

_ALL_EVENTS: Final = "hive.event.>"


class NatsEventStream:
    """The stream `EVENTS`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def last_seq(self) -> int:
        """Sequence of the newest event, 0 when there was none yet."""
        return await last_sequence(self._bus, subjects.EVENTS)

    async def oldest_seq(self) -> int:
        """Sequence of the oldest event that is kept, one more than the newest when none is."""
        return await first_sequence(self._bus, subjects.EVENTS)

    async def read(
        self, after: int | None = None, execution_id: str | None = None
    ) -> AsyncGenerator[SequencedEvent, None]:
        """Every event after a sequence (default: those still to come), without end."""
        start = await self.last_seq() if after is None else after
        subject = subjects.event("*.*", execution_id) if execution_id else _ALL_EVENTS
        reading = read_stream(self._bus, subjects.EVENTS, (subject,), after=start)
        async with aclosing(reading):
            async for message in reading:
                try:
                    event = PublicEvent.model_validate_json(message.data)
                except ValidationError as error:
                    _unreadable(message.subject, error)
                    continue
                yield SequencedEvent(message.seq, event)

    async def about(
        self, subject_id: str, limit: int, *, category: str = "*"
    ) -> Sequence[PublicEvent]:
        """The events about one thing that are kept, at most the last so many."""
        found: deque[PublicEvent] = deque(maxlen=limit)
        subject = subjects.event(f"{category}.*", subject_id)
        reading = read_stream(self._bus, subjects.EVENTS, (subject,), after=0, to_the_end=True)
        async with aclosing(reading):
            async for message in reading:
                try:
                    found.append(PublicEvent.model_validate_json(message.data))
                except ValidationError as error:
                    _unreadable(message.subject, error)
        return tuple(found)


class NatsEventSink:
    """Publishes events to the stream `EVENTS`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, event: PublicEvent, about: str = "") -> None:
        """Store an event durably; the same id again changes nothing."""
        await self._publisher.publish(
            subjects.EVENTS,
            subjects.event(event.type, event.execution_id or about or event.id),
            event.model_dump_json(exclude_defaults=True).encode(),
            event.id,
        )


class NatsLogStream:
    """The stream `LOGS`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

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
        number = "*" if attempt is None else str(attempt)
        subject = f"hive.log.{subjects.token(execution_id)}.{step or '*'}.{number}"
        reading = read_stream(
            self._bus, subjects.LOGS, (subject,), after=after, to_the_end=not follow
        )
        async with aclosing(reading):
            async for message in reading:
                try:
                    chunk = LogChunk.model_validate_json(message.data)
                except ValidationError as error:
                    _unreadable(message.subject, error)
                    continue
                yield SequencedLog(message.seq, chunk)


def _unreadable(subject: str, error: ValidationError) -> None:
    log.error("message cannot be read", subject=subject, reason=str(error)[:300])
