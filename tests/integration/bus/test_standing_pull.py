"""Reading through outages: restarts, deleted consumers, connections cut with messages under way."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import connect
from shared.adapters.nats.effects import NatsEffects
from shared.adapters.nats.journal import NatsJournal, NatsJournalReader
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.contracts import subjects
from tests.contract.bus.rig import entries_of, lost_by, tasks_of
from tests.contract.bus.samples import EXECUTION, PARTITION, reason_of, request, task
from tests.integration.bus.conftest import Shore
from tests.integration.bus.cut_proxy import CutProxy, cut_proxy

PATIENCE_S = 40.0


async def _offer(shore: Shore, step: str) -> None:
    effects = NatsEffects(shore.bus, shore.publisher)
    effects.task(subjects.pool_any(), task(step), again=False)
    await effects.commit()


@pytest.mark.kill
async def test_a_feed_goes_on_after_the_server_was_killed(shore: Shore) -> None:
    """Tasks queued before and after come."""
    feed = NatsTaskFeed(shore.bus, "alpha", ["shell"], slots=8)
    await feed.start()
    await _offer(shore, "a")
    [first] = await tasks_of(feed, 1)
    await first.acknowledge()
    await shore.bus.client.flush()
    await asyncio.to_thread(shore.kill_and_restart)
    await _offer(shore, "b")
    async with asyncio.timeout(PATIENCE_S):
        steps: set[str] = set()
        while "b" not in steps:
            steps |= {d.task.step for d in await tasks_of(feed, 1) if d.task is not None}
    await feed.close()


async def test_a_feed_makes_a_deleted_consumer_anew(shore: Shore) -> None:
    """Somebody deletes the pool's consumer: tasks come all the same."""
    feed = NatsTaskFeed(shore.bus, "alpha", [], slots=8)
    await feed.start()
    await _offer(shore, "a")
    await tasks_of(feed, 1)
    await shore.bus.jetstream.delete_consumer(subjects.TASKS, "pool-any-_")
    await _offer(shore, "b")
    async with asyncio.timeout(PATIENCE_S):
        steps: set[str] = set()
        while "b" not in steps:
            steps |= {d.task.step for d in await tasks_of(feed, 1) if d.task is not None}
    await feed.close()


async def test_a_reader_whose_consumer_is_deleted_knows(shore: Shore) -> None:
    """The partition counts as lost, and can be opened again."""
    journal, reader = NatsJournal(shore.publisher), NatsJournalReader(shore.bus, "one")
    await reader.open(PARTITION)
    await journal.append(EXECUTION, request("a"), "a")
    await entries_of(reader, 1)
    stream = subjects.journal_stream(PARTITION)
    await shore.bus.jetstream.delete_consumer(stream, f"coordinator-{PARTITION}-one")
    assert await lost_by(reader) == [PARTITION]
    await reader.open(PARTITION)
    assert reason_of((await entries_of(reader, 1))[0].payload) == "a"
    await reader.close(PARTITION)


@pytest.mark.kill
async def test_a_reader_goes_on_after_the_server_was_killed(shore: Shore) -> None:
    """Its consumer died with the server: the partition is lost, opened again, and read on."""
    journal, reader = NatsJournal(shore.publisher), NatsJournalReader(shore.bus, "one")
    await reader.open(PARTITION)
    await journal.append(EXECUTION, request("a"), "a")
    await entries_of(reader, 1)
    await asyncio.to_thread(shore.kill_and_restart)
    await journal.append(EXECUTION, request("b"), "b")
    async with asyncio.timeout(PATIENCE_S):
        lost = await lost_by(reader)
    assert lost == [PARTITION]
    await reader.open(PARTITION)
    assert [reason_of(e.payload) for e in await entries_of(reader, 2)] == ["a", "b"]
    await reader.close(PARTITION)


async def test_entries_lost_on_the_way_are_not_acknowledged(shore: Shore) -> None:
    """The line is cut again and again with entries under way, while the reader acknowledges
    whatever it gets: it still gets every one, in order."""
    count = 4_000
    journal = NatsJournal(shore.publisher)
    reasons = [f"{number} {'x' * 500}" for number in range(count)]
    await asyncio.gather(
        *(journal.append(EXECUTION, request(reason), f"m.{reason}") for reason in reasons)
    )
    async with cut_proxy(shore.server.config.port) as proxy:
        server = urlsplit(shore.server.url("executor"))
        login = f"{server.username}:{server.password}"
        bus = await connect(f"nats://{login}@127.0.0.1:{proxy.port}", "behind a proxy")
        reader = NatsJournalReader(bus, "one")
        await _open(reader)
        seen = await _read_all_while_cutting(reader, proxy, count)
        await reader.close(PARTITION)
        await bus.close()
    assert seen == reasons


async def _read_all_while_cutting(
    reader: NatsJournalReader, proxy: CutProxy, count: int
) -> list[str]:
    seen: dict[int, str] = {}
    cuts = 0
    async with asyncio.timeout(90):
        while len(seen) < count:
            taken = await reader.take(50)
            seqs = [entry.seq for entry in taken.entries]
            assert seqs == sorted(set(seqs))
            seen |= {entry.seq: reason_of(entry.payload) for entry in taken.entries}
            assert len(seen) == max(seen, default=0), "an entry was skipped"
            for partition in taken.lost:
                await _open(reader)
                assert partition == PARTITION
            if seqs:
                await reader.acknowledge(PARTITION, seqs[-1])
            if len(seen) > (cuts + 1) * 700:
                cuts += 1
                proxy.cut()
    assert cuts >= count // 700  # whether entries were under way then is chance
    return [seen[seq] for seq in sorted(seen)]


async def _open(reader: NatsJournalReader) -> None:
    while True:
        try:
            async with asyncio.timeout(5):
                await reader.open(PARTITION)
                return
        except (TimeoutError, OSError, NatsError):
            await asyncio.sleep(0.1)
