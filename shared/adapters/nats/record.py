"""The record on JetStream: a place is the sequence of a message in the stream `RECORD`.

A stream that is made anew begins at the present microsecond since 1970: above any place that a lost
one gave, which would have needed a million items a second to get there. So places rise for ever,
and nobody has to be asked where they had got to.

What was lost otherwise (a server that does not sync each write, and loses its machine) may leave
the stream behind a place that was read: whoever keeps the record lifts it above.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import Final

import structlog
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.publisher import Publisher, RefusedError
from shared.adapters.nats.reading import last_sequence, read_stream
from shared.contracts import subjects
from shared.learning.records import RECORD, AnyRecord, Forget
from shared.ports.record import ItemRefusedError, Placed
from shared.runtime.endings import end

log = structlog.get_logger()

AGE_S: Final = 7 * 86_400.0
"""How long items stay on their way; for good they are in the store."""
BYTES: Final = 512 * 1024 * 1024
DUPLICATES_S: Final = 900.0
"""For how long ids are remembered, in seconds: clients whose answer was lost send again."""
ADD_S: Final = 5.0
"""How long the server may take to confirm what is added."""
IN_HAND: Final = 2_000
"""Items that wait in this process until they are taken."""
ALL: Final = "hive.record.>"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:/-]+")


def record_stream(replicas: int) -> StreamConfig:
    """The stream, as it is made anew."""
    return StreamConfig(
        name=subjects.RECORD,
        subjects=[ALL],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=AGE_S,
        max_bytes=BYTES,
        discard=DiscardPolicy.OLD,
        num_replicas=replicas,
        duplicate_window=DUPLICATES_S,
        first_seq=time.time_ns() // 1_000,
        allow_direct=True,
        allow_atomic=True,
    )


class NatsRecordSink:
    """Adds items to the stream."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def add(self, items: Sequence[AnyRecord]) -> None:
        """Add them in this order, durably."""
        under_way = [
            self._publisher.publish(
                subjects.RECORD, _subject(item), item.model_dump_json().encode(), _message_id(item)
            )
            for item in items
        ]
        if not under_way:
            return
        _, late = await asyncio.wait(under_way, timeout=ADD_S)
        if late:
            raise TimeoutError(f"record: {len(late)} items are not confirmed")
        for done in under_way:
            try:
                done.result()
            except RefusedError as error:
                raise ItemRefusedError(str(error)) from error


class NatsRecordFeed:
    """Reads the stream from a place on, without acknowledging anything."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: asyncio.Queue[Placed] = asyncio.Queue(IN_HAND)
        self._reading: asyncio.Task[None] | None = None

    async def start(self, after: int) -> None:
        """Give what follows place `after`."""
        self._reading = asyncio.create_task(self._read(after))

    async def take(self, limit: int, wait_s: float) -> Sequence[Placed]:
        """Wait for the next items, at most so long."""
        try:
            async with asyncio.timeout(wait_s):
                taken = [await self._waiting.get()]
        except TimeoutError:
            if self._reading is not None and self._reading.done():
                self._reading.result()  # what it failed with
            return ()
        while len(taken) < limit and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        return taken

    async def close(self) -> None:
        """Give nothing more."""
        reading, self._reading = self._reading, None
        await end((reading,))

    async def _read(self, after: int) -> None:
        async with aclosing(read_stream(self._bus, subjects.RECORD, (ALL,), after=after)) as found:
            async for message in found:
                item = _item(message.subject, message.data)
                if item is not None:
                    await self._waiting.put(Placed(message.seq, item))


class NatsRecordKeeping:
    """Lifts the stream and removes from it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def lift(self, after: int) -> None:
        """See to it that what is added from now on has a place behind `after`."""
        last = await last_sequence(self._bus, subjects.RECORD)
        if last < after:
            log.error("the bus lost items of the record", last=last, known=after)
            await self._bus.jetstream.purge_stream(subjects.RECORD, seq=after + 1)

    async def erase(self, order: Forget, before: int) -> int:
        """Remove what is meant from what is still on its way in front of a place."""
        removed = 0
        reading = read_stream(
            self._bus, subjects.RECORD, _where_it_is(order), after=0, to_the_end=True
        )
        async with aclosing(reading) as found:
            async for message in found:
                if message.seq >= before:
                    break
                item = _item(message.subject, message.data)
                if item is not None and order.means(item):
                    removed += await self._delete(message.seq)
        return removed

    async def _delete(self, place: int) -> bool:
        try:
            return await self._bus.jetstream.delete_msg(subjects.RECORD, place)
        except NotFoundError:
            return False


def _where_it_is(order: Forget) -> tuple[str, ...]:
    """The subjects of what an order may mean."""
    kinds = ("command", "feedback")
    if order.user:
        return tuple(subjects.record(kind, order.user) for kind in kinds)
    return tuple(f"hive.record.{kind}.*" for kind in kinds)


def _subject(item: AnyRecord) -> str:
    return subjects.record(item.type, _about(item))


def _about(item: AnyRecord) -> str:
    """Whose an item is, or the execution that it is of."""
    match item.type:
        case "run":
            return item.id
        case "rollback":
            return item.execution_id
        case "forget":
            return item.by
        case _:
            return item.user


def _message_id(item: AnyRecord) -> str:
    """Its type and id; an id that is not plain is not for a header, and goes as a digest."""
    if _PLAIN.fullmatch(item.id):
        return f"{item.type}.{item.id}"
    return f"{item.type}#{sha256(item.id.encode()).hexdigest()}"


def _item(subject: str, data: bytes) -> AnyRecord | None:
    try:
        return RECORD.validate_json(data)
    except ValidationError as error:
        _unreadable(subject, error.error_count())
        return None


def _unreadable(subject: str, errors: int) -> None:
    """What stands in it is not told: it may be what a person typed."""
    log.error("item of the record cannot be read", subject=subject, errors=errors)
