"""What the stream of the record does, in memory and in NATS."""

from __future__ import annotations

import asyncio

import pytest

from shared.adapters.nats.connection import connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.record import NatsRecordFeed, NatsRecordSink
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.learning.records import AnyRecord
from shared.ports.record import ItemRefusedError, Placed, RecordFeed
from tests.contract.record.conftest import Stream
from tests.contract.record.samples import command, feedback, forget, rollback, run

WAIT_S = 10.0


async def taken(feed: RecordFeed, count: int) -> list[Placed]:
    """So many items, however they come."""
    found: list[Placed] = []
    while len(found) < count:
        more = await feed.take(count - len(found), WAIT_S)
        assert more, f"only {len(found)} of {count} came"
        found += more
    return found


async def some(stream: Stream, count: int) -> list[AnyRecord]:
    made: list[AnyRecord] = [command(f"{stream.prefix}.{n}", f"echo {n}") for n in range(count)]
    await stream.sink.add(made)
    return made


async def test_items_come_in_their_order(stream: Stream) -> None:
    """What is added comes out equal, each at a place behind the one before."""
    prefix = stream.prefix
    items: list[AnyRecord] = [
        command(f"{prefix}1", "tar czf a.tgz 'ü ß' \\\n\t$x", exit=2, duration_ms=7, cwd="/srv"),
        feedback(f"{prefix}2", "disk_report"),
        forget(f"{prefix}3", user="ada"),
    ]
    await stream.sink.add(items)
    await stream.runs.add([run(f"{prefix}4"), rollback(f"{prefix}5")])
    async with stream.feed() as feed:
        found = await taken(feed, 5)
    assert [one.item for one in found] == [*items, run(f"{prefix}4"), rollback(f"{prefix}5")]
    places = [one.place for one in found]
    assert places == sorted(set(places))
    assert places[0] > 0


async def test_an_id_counts_once(stream: Stream) -> None:
    """The same id of the same type again is dropped; of another type it is another item."""
    same = f"{stream.prefix}\n ü"
    await stream.sink.add([command(same), command(same, "other")])
    await stream.sink.add([command(same), feedback(same, "x")])
    await stream.sink.add([])
    async with stream.feed() as feed:
        found = await taken(feed, 2)
        assert [one.item for one in found] == [command(same), feedback(same, "x")]
        assert await feed.take(5, 0.05) == ()


async def test_a_feed_begins_behind_a_place(stream: Stream) -> None:
    """It gives what follows, what is there and what comes later, at most as many as are wanted."""
    made = await some(stream, 5)
    async with stream.feed() as feed:
        first = await taken(feed, 3)
    async with stream.feed(first[-1].place) as feed:
        assert [one.item for one in await taken(feed, 2)] == made[3:]
        waiting = asyncio.create_task(taken(feed, 1))
        late = command(f"{stream.prefix}.late")
        await stream.sink.add([late])
        assert [one.item for one in await waiting] == [late]


async def test_several_feeds_see_the_same(stream: Stream) -> None:
    """Each has a place of its own."""
    made = await some(stream, 4)
    async with stream.feed() as one, stream.feed() as other:
        assert await taken(one, 4) == await taken(other, 4)
        assert len(made) == 4


async def test_what_is_forgotten_goes_from_the_way(stream: Stream) -> None:
    """Erasing takes commands and feedback that are meant and in front of a place, and leaves
    others, runs and orders; doing it again finds nothing."""
    prefix = stream.prefix
    items: list[AnyRecord] = [
        command(f"{prefix}1", "mine", user="ada"),
        command(f"{prefix}2", "mine", user="bob"),
        command(f"{prefix}3", "other", user="ada"),
        feedback(f"{prefix}4", "x", chosen="mine", user="bob"),
        forget(f"{prefix}5", command="mine"),
        command(f"{prefix}6", "mine", user="ada"),
    ]
    await stream.sink.add(items)
    async with stream.feed() as feed:
        order = (await taken(feed, 6))[4].place
    assert await stream.keeping.erase(forget("x"), order) == 0
    assert await stream.keeping.erase(forget("x", command="mine"), order) == 3
    assert await stream.keeping.erase(forget("x", command="mine"), order) == 0
    async with stream.feed() as feed:
        assert [one.item for one in await taken(feed, 3)] == [items[2], items[4], items[5]]
    assert await stream.keeping.erase(forget("x", user="ada"), order) == 1
    assert await stream.keeping.erase(forget("x", user="bob", command="mine"), order + 9) == 0
    async with stream.feed() as feed:
        assert [one.item for one in await taken(feed, 2)] == [items[4], items[5]]


async def test_places_can_be_lifted(stream: Stream) -> None:
    """A stream that lost its newest items goes on above the place that is known, and one that lost
    none is left as it is."""
    made = await some(stream, 2)
    async with stream.feed() as feed:
        last = (await taken(feed, 2))[-1].place
    await stream.keeping.lift(last)
    async with stream.feed() as feed:
        assert len(await taken(feed, len(made))) == 2
    await stream.keeping.lift(last + 1_000)
    late = command(f"{stream.prefix}.late")
    async with stream.feed(last + 1_000) as feed:
        await stream.sink.add([late])
        (found,) = await taken(feed, 1)
    assert found.item == late
    assert found.place > last + 1_000


async def test_a_stream_made_anew_goes_on_above(nats_url: str) -> None:
    """When the stream is lost and made anew, places rise, and a feed that was open goes on."""
    bus = await connect(nats_url, "test")
    await ensure_streams(bus, replicas=1)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    sink, feed = NatsRecordSink(publisher), NatsRecordFeed(bus)
    await bus.jetstream.purge_stream(subjects.RECORD)
    await feed.start(0)
    await sink.add([command("anew.1")])
    (before,) = await taken(feed, 1)
    await bus.jetstream.delete_stream(subjects.RECORD)
    await ensure_streams(bus, replicas=1)
    await sink.add([command("anew.2")])
    (after,) = await taken(feed, 1)
    assert (before.item.id, after.item.id) == ("anew.1", "anew.2")
    assert after.place > before.place
    await feed.close()
    await publisher.close()
    await bus.close()


async def test_what_cannot_be_read_is_passed_over(nats_url: str) -> None:
    """A message that is no item hides none behind it."""
    bus = await connect(nats_url, "test")
    await ensure_streams(bus, replicas=1)
    await bus.jetstream.purge_stream(subjects.RECORD)
    await bus.jetstream.publish("hive.record.command.x", b'{"type": "command"}')
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    await NatsRecordSink(publisher).add([command("readable")])
    feed = NatsRecordFeed(bus)
    await feed.start(0)
    assert [one.item.id for one in await taken(feed, 1)] == ["readable"]
    await feed.close()
    await publisher.close()
    await bus.close()


async def test_what_is_too_large_is_refused(nats_url: str) -> None:
    """An item that no message holds is refused by name, and the others are in."""
    bus = await connect(nats_url, "test")
    await ensure_streams(bus, replicas=1)
    await bus.jetstream.purge_stream(subjects.RECORD)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    items: list[AnyRecord] = [
        run("large", failed_step="n" * bus.client.max_payload),
        command("small"),
    ]
    with pytest.raises(ItemRefusedError, match="the limit is"):
        await NatsRecordSink(publisher).add(items)
    feed = NatsRecordFeed(bus)
    await feed.start(0)
    assert [one.item.id for one in await taken(feed, 1)] == ["small"]
    await feed.close()
    await publisher.close()
    await bus.close()
