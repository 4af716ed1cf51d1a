"""The journal stays small: what is acknowledged goes in a while, also when nothing comes."""

from __future__ import annotations

import asyncio

from shared.adapters.nats.journal import NatsJournalReader
from shared.contracts import subjects
from shared.ports.journal import RawEntry
from tests.integration.bus.conftest import Shore

EXECUTION = "ex_1"
PARTITION = subjects.partition_of(EXECUTION)
KEEP_S = 0.3
MANY = 400


async def _messages(shore: Shore) -> int:
    stream = subjects.journal_stream(PARTITION)
    return int((await shore.bus.jetstream.stream_info(stream)).state.messages)


async def _until(shore: Shore, messages: int) -> None:
    async with asyncio.timeout(20):
        while await _messages(shore) != messages:  # noqa: ASYNC110 - the server changes it
            await asyncio.sleep(0.05)


async def _taken(reader: NatsJournalReader, count: int) -> list[RawEntry]:
    entries: list[RawEntry] = []
    async with asyncio.timeout(20):
        while len(entries) < count:
            entries += (await reader.take(100)).entries
    return entries


async def test_the_journal_holds_what_is_in_flight(shore: Shore) -> None:
    """Of many entries only those that are not acknowledged stay, though nothing comes after them;
    whoever takes over truncates what the one before had acknowledged."""
    before = await _messages(shore)
    for n in range(MANY):
        await shore.bus.jetstream.publish(subjects.journal(PARTITION, EXECUTION), b"%d" % n)
    one = NatsJournalReader(shore.bus, "one", keep_s=KEEP_S)
    await one.open(PARTITION)
    entries = await _taken(one, MANY)
    await one.acknowledge(PARTITION, entries[-11].seq)
    await _until(shore, before + 10)
    await one.acknowledge(PARTITION, entries[-6].seq)
    await one.close(PARTITION)
    assert await _messages(shore) == before + 10
    two = NatsJournalReader(shore.bus, "two", keep_s=KEEP_S)
    await two.open(PARTITION)
    await _until(shore, before + 5)
    assert [e.payload for e in await _taken(two, 5)] == [e.payload for e in entries[-5:]]
    await two.acknowledge(PARTITION, entries[-1].seq)
    await _until(shore, before)
    await two.close(PARTITION)
