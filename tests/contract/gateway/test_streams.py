"""What the streams of events and of progress lines promise, in memory and on JetStream."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import pytest

from shared.adapters.nats.connection import connect
from shared.adapters.nats.events import NatsEventSink, NatsEventStream, NatsLogStream
from shared.adapters.nats.log_sink import NatsLogSink
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts.events import PublicEvent
from shared.contracts.tasks import LogChunk, LogLine
from shared.memory.events import MemoryEvents, MemoryLogs
from shared.ports.events import EventSink, EventStream
from shared.ports.logs import LogSink, LogStream

T = TypeVar("T")


@dataclass(frozen=True)
class Streams:
    events: EventStream
    sink: EventSink
    logs: LogStream
    log_sink: LogSink


@pytest.fixture(params=["memory", "nats"])
async def streams(request: pytest.FixtureRequest) -> AsyncIterator[Streams]:
    if request.param == "memory":
        events, logs = MemoryEvents(), MemoryLogs()
        yield Streams(events, events, logs, logs)
        return
    bus = await connect(request.getfixturevalue("nats_url"), "stream contract")
    await ensure_streams(bus)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    yield Streams(
        NatsEventStream(bus), NatsEventSink(publisher), NatsLogStream(bus), NatsLogSink(bus)
    )
    await publisher.close()
    await bus.close()


def event(number: int, execution_id: str) -> PublicEvent:
    return PublicEvent(
        id=f"{execution_id}.{number}", type="step.completed", at_ms=1, execution_id=execution_id
    )


def new_execution() -> str:
    return f"ex_{secrets.token_hex(8)}"


async def first(count: int, reading: AsyncGenerator[T, None]) -> list[T]:
    found: list[T] = []
    async with asyncio.timeout(20), aclosing(reading) as items:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


async def test_events_come_once_and_in_order_from_any_sequence(streams: Streams) -> None:
    """Reading goes on behind a sequence; the same id again adds nothing."""
    execution = new_execution()
    start = await streams.events.last_seq()
    for number in (1, 2, 2, 3):
        await streams.sink.publish(event(number, execution))
    kept = await first(3, streams.events.read(start))
    assert [k.event.id for k in kept] == [f"{execution}.{n}" for n in (1, 2, 3)]
    assert kept[0].seq > start
    assert await streams.events.last_seq() == kept[-1].seq
    assert await first(2, streams.events.read(kept[0].seq)) == kept[1:]


async def test_events_of_one_execution(streams: Streams) -> None:
    """Others are left out."""
    mine, other = new_execution(), new_execution()
    for number, execution in enumerate((mine, other, mine), start=1):
        await streams.sink.publish(event(number, execution))
    kept = await first(2, streams.events.read(0, mine))
    assert [k.event.id for k in kept] == [f"{mine}.1", f"{mine}.3"]


async def test_reading_waits_for_what_comes(streams: Streams) -> None:
    """Without a sequence only what is published from then on comes."""
    execution = new_execution()
    await streams.sink.publish(event(1, execution))
    start = await streams.events.last_seq()
    reading = asyncio.create_task(first(300, streams.events.read(start)))
    await asyncio.sleep(0)
    for number in range(2, 302):
        await streams.sink.publish(event(number, execution))
    assert [k.event.id for k in await reading] == [f"{execution}.{n}" for n in range(2, 302)]


def chunk(execution_id: str, step: str, attempt: int, text: str) -> LogChunk:
    line = LogLine(number=1, at_ms=1, stream="stdout", text=text)
    return LogChunk(execution_id=execution_id, step=step, attempt=attempt, agent="a", lines=(line,))


async def test_lines_of_an_execution_end_or_are_followed(streams: Streams) -> None:
    """What is stored is read to its end; with `follow` further lines are waited for."""
    execution = new_execution()
    assert [kept async for kept in streams.logs.read(execution)] == []
    for step, attempt, text in (("a", 1, "x"), ("a", 2, "y"), ("b", 1, "z")):
        await streams.log_sink.write(chunk(execution, step, attempt, text))
    kept = await first(3, streams.logs.read(execution, follow=True))

    async def texts(**narrowed: object) -> list[str]:
        reading = streams.logs.read(execution, **narrowed)  # type: ignore[arg-type]
        return [found.chunk.lines[0].text async for found in reading]

    assert await texts() == ["x", "y", "z"]
    assert await texts(step="a") == ["x", "y"]
    assert await texts(attempt=1) == ["x", "z"]
    assert await texts(after=kept[1].seq) == ["z"]
    following = asyncio.create_task(
        first(1, streams.logs.read(execution, after=kept[2].seq, follow=True))
    )
    await streams.log_sink.write(chunk(execution, "b", 2, "later"))
    assert (await following)[0].chunk.lines[0].text == "later"
