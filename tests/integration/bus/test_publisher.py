"""The publisher against a server that is killed: everything stored, once, and nobody waits."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from nats.aio.msg import Msg

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.journal import NatsJournal, NatsJournalReader
from shared.adapters.nats.publisher import (
    ORIGIN,
    Publisher,
    PublisherClosedError,
    RefusedError,
    Stored,
)
from shared.contracts import subjects
from shared.workflow.messages import CancelRequested
from tests.contract.bus.rig import PATIENCE_S
from tests.contract.bus.samples import execution_in
from tests.integration.bus.conftest import Shore

COUNT = 5_000
PLACES = [
    (subjects.EVENTS, "hive.event.test.made.x"),
    (subjects.TASKS, "hive.task.any._.x.s.1.0"),
    *((subjects.journal_stream(p), f"hive.journal.{p}.x") for p in range(4)),
]


def _publish(publisher: Publisher, numbers: range) -> list[asyncio.Future[Stored]]:
    """Spread messages over the streams; each has its number as id and as payload."""
    futures = []
    for number in numbers:
        stream, subject = PLACES[number % len(PLACES)]
        futures.append(publisher.publish(stream, subject, str(number).encode(), f"m.{number}"))
    return futures


async def _all_stored(bus: Bus) -> Counter[int]:
    """How often each number is stored, over all streams."""
    found: Counter[int] = Counter()
    for stream in {stream for stream, _ in PLACES}:
        state = (await bus.jetstream.stream_info(stream)).state
        for start in range(state.first_seq, state.last_seq + 1, 500):
            some = range(start, min(start + 500, state.last_seq + 1))
            reads = [bus.jetstream.get_msg(stream, seq, direct=True) for seq in some]
            found.update(int(message.data or b"") for message in await asyncio.gather(*reads))
    return found


async def test_every_message_is_stored_exactly_once(shore: Shore) -> None:
    """Thousands of messages over several streams, each with its own sequence, in order."""
    async with asyncio.timeout(60):
        stored = await asyncio.gather(*_publish(shore.publisher, range(COUNT)))
    assert not any(place.duplicate for place in stored)
    for offset in range(len(PLACES)):
        seqs = [place.seq for place in stored[offset :: len(PLACES)]]
        assert seqs == sorted(set(seqs))
    assert await _all_stored(shore.bus) == Counter(range(COUNT))
    assert shore.publisher.pending == 0


async def test_sent_again_they_are_told_from_new_ones(shore: Shore) -> None:
    """Piles in which old and new ids are mixed: the old are duplicates, the new are stored."""
    await asyncio.gather(*_publish(shore.publisher, range(0, 600, 2)))
    async with asyncio.timeout(60):
        stored = await asyncio.gather(*_publish(shore.publisher, range(600)))
    assert [place.duplicate for place in stored] == [n % 2 == 0 for n in range(600)]
    assert not any(place.resent for place in stored)
    assert await _all_stored(shore.bus) == Counter(range(600))


async def test_one_id_twice_in_one_pile_is_stored_once(shore: Shore) -> None:
    """Both are told, and only one is new."""
    futures = _publish(shore.publisher, range(60)) + _publish(shore.publisher, range(60))
    stored = await asyncio.gather(*futures)
    assert sum(place.duplicate for place in stored) == 60
    assert await _all_stored(shore.bus) == Counter(range(60))


@pytest.mark.kill
async def test_a_killed_server_loses_and_doubles_nothing(shore: Shore) -> None:
    """kill -9 of nats-server in the middle, twice: every future is done, each message stored once,
    and a reader of the journal sees all of its part."""
    futures: list[asyncio.Future[Stored]] = []

    async def publish() -> None:
        for start in range(0, COUNT, 50):
            futures.extend(_publish(shore.publisher, range(start, start + 50)))
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(publish())
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(shore.kill_and_restart)
    async with asyncio.timeout(90):
        await sending
        await asyncio.gather(*futures)
    assert await _all_stored(shore.bus) == Counter(range(COUNT))
    reader = NatsJournalReader(shore.bus, "one")
    await reader.open(0)
    seen: list[int] = []
    expected = [n for n in range(COUNT) if PLACES[n % len(PLACES)][1] == "hive.journal.0.x"]
    async with asyncio.timeout(30):
        while len(seen) < len(expected):
            seen += [int(entry.payload) for entry in (await reader.take(500)).entries]
    assert sorted(seen) == expected
    await reader.close(0)


@pytest.mark.kill
async def test_ones_own_first_copy_is_not_anothers(shore: Shore) -> None:
    """A claim whose answer was lost with the server is still the first of its id."""
    journal = NatsJournal(shore.publisher)
    execution = execution_in(1)
    results: list[bool] = []

    async def claim() -> None:
        for number in range(400):
            results.append(await journal.append(execution, CancelRequested(), f"s.{number}"))

    claiming = [asyncio.create_task(claim())]
    await asyncio.sleep(0.05)
    await asyncio.to_thread(shore.kill_and_restart)
    async with asyncio.timeout(60):
        await asyncio.gather(*claiming)
    assert results == [True] * 400
    other = Publisher(shore.bus, grouped=False)
    await other.start()
    assert not await NatsJournal(other).append(execution, CancelRequested(), "s.0")
    await other.close()


async def test_what_is_too_large_is_refused_and_holds_nothing_up(shore: Shore) -> None:
    """One above the server's limit, also by its headers alone, fails; its neighbours are stored."""
    limit = shore.bus.client.max_payload
    futures = _publish(shore.publisher, range(20))
    too_large = [
        shore.publisher.publish(subjects.EVENTS, "hive.event.a.b.c", b"x" * size, f"large.{size}")
        for size in (limit + 1, limit, limit - 10)
    ]
    futures += _publish(shore.publisher, range(20, 40))
    for future in too_large:
        with pytest.raises(RefusedError, match="limit"):
            await future
    await asyncio.gather(*futures)
    assert shore.bus.reconnects == 0


@pytest.mark.parametrize(
    ("subject", "headers"),
    [
        ("hive.event.a b", {}),
        ("hive.event.", {}),
        ("hive.event.a.b", {"bad header": "x"}),
        (
            "hive.timer.0.x.t",
            {"Nats-Schedule": "never", "Nats-Schedule-Target": "hive.journal.0.x"},
        ),
    ],
)
async def test_what_the_server_never_takes_is_refused(
    shore: Shore, subject: str, headers: dict[str, str]
) -> None:
    """A bad subject, header or schedule fails instead of being tried for ever."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(RefusedError):
            await shore.publisher.publish("JOURNAL_0", subject, b"", "bad", headers)
        await asyncio.gather(*_publish(shore.publisher, range(20)))


async def test_a_busy_server_is_asked_again(shore: Shore) -> None:
    """Too many requests (429), an internal error (500), no answer, and that the first copy is still
    being agreed on (409, only clusters say that) are no refusals."""
    answers = [
        b'{"error": {"code": 409, "err_code": 10158, "description": "duplicate is in process"}}',
        b'{"error": {"code": 429, "err_code": 10167, "description": "too many requests"}}',
        b'{"error": {"code": 503, "description": "no leader"}}',
        b"nonsense",
        b'{"stream": "NOWHERE", "seq": 7}',
    ]

    async def answer(message: Msg) -> None:
        if answers:
            await message.respond(answers.pop(0))

    subscription = await shore.bus.client.subscribe("hive.control.agent.fake", cb=answer)
    async with asyncio.timeout(60):
        stored = await shore.publisher.publish("NOWHERE", "hive.control.agent.fake", b"", "one")
    assert stored == Stored(7, duplicate=False, resent=True)
    await subscription.unsubscribe()


async def test_closing_leaves_nobody_waiting(shore: Shore) -> None:
    """Who waits for a message that is not stored by then gets an error; so does who comes later."""
    before = asyncio.all_tasks()
    publisher = Publisher(shore.bus, grouped=shore.publisher._grouped)
    await publisher.start()
    waiting = publisher.publish("NOWHERE", "hive.event.nobody", b"", "one")
    many = [publisher.publish("JOURNAL_0", "hive.journal.0.x", b"", f"m{n}") for n in range(50)]
    await publisher.close()
    for future in (waiting, *many, publisher.publish("NOWHERE", "hive.event.nobody", b"", "two")):
        with pytest.raises(PublisherClosedError):
            await future
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not [task for task in left if not task.done()]


async def test_an_earlier_append_of_the_same_process_is_another_one(shore: Shore) -> None:
    """Only a copy of the very same publication counts as its own."""
    execution = execution_in(1)
    assert await NatsJournal(shore.publisher).append(execution, CancelRequested(), "s.1")
    stream = subjects.journal_stream(1)
    seq = (await shore.bus.jetstream.stream_info(stream)).state.last_seq
    stored = await shore.bus.jetstream.get_msg(stream, seq)
    origin = (stored.headers or {})[ORIGIN]
    assert await shore.publisher.is_from(origin, stream, seq)
    assert not await shore.publisher.is_from(shore.publisher.origin(), stream, seq)
    assert not await shore.publisher.is_from(origin, stream, seq + 1)
