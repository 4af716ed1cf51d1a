"""The adapters of NATS on three servers of which one dies or freezes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.stack.cluster import EmbeddedCluster
from ops.stack.nats import NatsServer
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.events import NatsEventSink, NatsEventStream
from shared.adapters.nats.journal import NatsJournal, NatsJournalReader
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.workflow.messages import CancelRequested
from tests.contract.bus.rig import entries_of, until
from tests.contract.bus.samples import EXECUTION, PARTITION

pytestmark = [pytest.mark.kill, pytest.mark.long, pytest.mark.timeout(240)]

PATIENCE_S = 60.0


@contextmanager
def away(server: NatsServer, way: str) -> Iterator[None]:
    """The server is killed or frozen for as long as the block takes."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL if way == "kill" else signal.SIGSTOP)
    try:
        yield
    finally:
        if way == "kill":
            server.restart()
        else:
            os.kill(server.pid, signal.SIGCONT)


def server_of(cluster: EmbeddedCluster, name: str) -> NatsServer:
    return next(s for s in cluster.nats if s.config.member and s.config.member.name == name)


def connected_to(cluster: EmbeddedCluster, bus: Bus) -> NatsServer:
    return server_of(cluster, str(bus.client._server_info["server_name"]))


async def replicas(bus: Bus) -> dict[str, int]:
    infos = await bus.jetstream.streams_info()
    return {info.config.name or "": info.config.num_replicas or 0 for info in infos}


async def test_every_stream_has_three_replicas(bus: Bus) -> None:
    """On a cluster each stream and bucket is kept three times, unless the setting says otherwise;
    what was made with fewer gets more."""
    assert set((await replicas(bus)).values()) == {3}
    await ensure_streams(bus, replicas=1)
    assert set((await replicas(bus)).values()) == {1}
    await ensure_streams(bus)
    assert set((await replicas(bus)).values()) == {3}
    info = await bus.jetstream.stream_info("JOURNAL_0")
    assert info.config.allow_msg_schedules
    assert info.config.allow_atomic


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_a_client_goes_to_another_server(cluster: EmbeddedCluster, way: str) -> None:
    """It knows one server only at its start, and when that one dies or freezes, it is connected to
    another under the same user."""
    bus = await connect(cluster.nats[0].url("gateway"), "test")
    with away(cluster.nats[0], way):
        await until(lambda: _is_elsewhere(cluster, bus), PATIENCE_S)
    await bus.close()


async def _is_elsewhere(cluster: EmbeddedCluster, bus: Bus) -> bool:
    return bus.connected and connected_to(cluster, bus) is not cluster.nats[0]


async def test_the_first_server_may_be_away(cluster: EmbeddedCluster) -> None:
    """Of several URLs one that answers is enough to start."""
    with away(cluster.nats[0], "freeze"):
        bus = await connect(cluster.nats_url(), "test")
        assert bus.clustered
        await bus.close()


@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_a_partition_outlives_the_server_of_its_consumer(
    cluster: EmbeddedCluster, bus: Bus, publisher: Publisher, way: str
) -> None:
    """The reader learns that its consumer is gone, opens the partition again while that server is
    still away, and goes on behind what it has acknowledged: nothing is left out."""
    journal, reader = NatsJournal(publisher), NatsJournalReader(bus, "one")
    await reader.open(PARTITION)
    numbers = range(20)
    for number in numbers:
        await journal.append(EXECUTION, CancelRequested(), f"before.{number}")
    first = await entries_of(reader, len(numbers))
    await reader.acknowledge(PARTITION, first[9].seq)
    consumer = await bus.jetstream.consumer_info("JOURNAL_0", f"coordinator-{PARTITION}-one")
    assert consumer.cluster is not None
    with away(server_of(cluster, consumer.cluster.leader or ""), way):
        async with asyncio.timeout(PATIENCE_S):
            while PARTITION not in (await reader.take(100)).lost:
                pass
            floor = await _opened(reader)
            await journal.append(EXECUTION, CancelRequested(), "after")
            again = await entries_of(reader, 11)
    assert floor == first[9].seq
    assert [entry.seq for entry in again[:10]] == [entry.seq for entry in first[10:]]
    await reader.close(PARTITION)


async def _opened(reader: NatsJournalReader) -> int:
    """Open it as the keeper does: again, until the servers have elected who decides."""
    while True:
        try:
            return await reader.open(PARTITION)
        except Exception:
            await asyncio.sleep(0.3)


async def test_another_owner_reads_what_the_lost_consumer_did_not_acknowledge(
    cluster: EmbeddedCluster, bus: Bus, publisher: Publisher
) -> None:
    """Where only the lost server knew what was acknowledged, everything is delivered again."""
    journal, reader = NatsJournal(publisher), NatsJournalReader(bus, "one")
    await reader.open(PARTITION)
    for number in range(5):
        await journal.append(EXECUTION, CancelRequested(), f"m.{number}")
    entries = await entries_of(reader, 5)
    await reader.acknowledge(PARTITION, entries[-1].seq)
    consumer = await bus.jetstream.consumer_info("JOURNAL_0", f"coordinator-{PARTITION}-one")
    assert consumer.cluster is not None
    other = NatsJournalReader(bus, "two")
    with away(server_of(cluster, consumer.cluster.leader or ""), "freeze"):
        async with asyncio.timeout(PATIENCE_S):
            assert await _opened(other) == 0
            again = await entries_of(other, 5)
    assert [entry.seq for entry in again] == [entry.seq for entry in entries]
    assert all(entry.redelivered for entry in again)
    await other.close(PARTITION)
    await reader.close(PARTITION)


@pytest.mark.parametrize("grouped", [False, True], ids=["pipelined", "grouped"])
@pytest.mark.parametrize("way", ["kill", "freeze"])
async def test_every_message_is_stored_once_while_leaders_change(
    cluster: EmbeddedCluster, bus: Bus, way: str, *, grouped: bool
) -> None:
    """The stream's leader goes away in the middle of many publications: each is confirmed, stored
    once, and an event reader that was reading gets each once and in order."""
    publisher, count = Publisher(bus, grouped=grouped), 2_000
    await publisher.start()
    sink = NatsEventSink(publisher)
    events = [
        PublicEvent(id=f"ex_{n}.1", type="execution.completed", at_ms=1, execution_id=f"ex_{n}")
        for n in range(count)
    ]
    seen: list[str] = []
    reading = asyncio.create_task(_read(NatsEventStream(bus), seen))
    leader = cluster.stream_leader(subjects.EVENTS)
    assert leader is not None
    publishing = [asyncio.create_task(sink.publish(event)) for event in events[: count // 2]]
    await asyncio.sleep(0.05)
    with away(leader, way):
        publishing += [asyncio.create_task(sink.publish(event)) for event in events[count // 2 :]]
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*publishing)
    async with asyncio.timeout(PATIENCE_S):
        while len(seen) < count:  # noqa: ASYNC110 - the reader fills it
            await asyncio.sleep(0.05)
    reading.cancel()
    await publisher.close()
    assert sorted(seen) == sorted(event.id for event in events)
    state = (await bus.jetstream.stream_info(subjects.EVENTS)).state
    assert state.messages == count


async def _read(stream: NatsEventStream, seen: list[str]) -> None:
    async for sequenced in stream.read(after=0):
        seen.append(sequenced.event.id)


async def test_of_two_owners_one_holds_a_lease_while_leaders_change(
    cluster: EmbeddedCluster, bus: Bus
) -> None:
    """While the bucket has no leader nobody is told that it holds a lease; afterwards one of two
    that try has it."""
    one, two = NatsLeases(bus), NatsLeases(bus)
    assert await one.acquire("p", "one")
    leader = cluster.stream_leader(f"KV_{subjects.LEASES_BUCKET}")
    assert leader is not None
    with away(leader, "freeze"):
        won = await asyncio.gather(_tried(one, "one"), _tried(two, "two"))
    assert sum(won) == 1
    # The lease may run out meanwhile, and a replica may lag; nobody but its owner asks again.
    owner, name = (one, "one") if won[0] else (two, "two")

    async def is_seen() -> bool:
        assert await _tried(owner, name)
        return list((await one.holders()).values()) == [name]

    await until(is_seen, PATIENCE_S)


async def _tried(leases: NatsLeases, owner: str) -> bool:
    """Try until there is an answer."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await leases.acquire("p", owner)
            except OSError:
                await asyncio.sleep(0.2)
