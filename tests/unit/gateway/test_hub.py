"""The event hub: no gap, nothing twice, and a slow follower costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from services.gateway.hub import EventHub, SlowFollowerError
from shared.contracts.events import PublicEvent
from shared.memory.events import MemoryEvents
from shared.ports.events import SequencedEvent


def everything(_event: SequencedEvent) -> bool:
    return True


async def publish(stream: MemoryEvents, first: int, last: int, kind: str = "step.failed") -> None:
    for number in range(first, last + 1):
        event = PublicEvent(id=str(number), type=kind, at_ms=0, execution_id="ex_1")
        await stream.publish(event)


async def caught_up(hub: EventHub, seq: int) -> None:
    """Until the hub has taken the event of this sequence."""
    async with asyncio.timeout(10), aclosing(hub.follow(0, everything, 1_000)) as events:
        async for kept in events:
            if kept.seq == seq:
                return


@pytest.mark.parametrize("after", [0, 3, 4, 5, 9, 12])
async def test_a_follower_from_any_sequence_misses_nothing(after: int) -> None:
    """Through the stream and the hub's own memory, each event comes once and in order."""
    stream = MemoryEvents()
    await publish(stream, 1, 4)
    hub = EventHub(stream, kept=5)
    async with hub.watch("ex_1"):
        await publish(stream, 5, 12)
        await caught_up(hub, 12)
    seen = []
    async with asyncio.timeout(10), aclosing(hub.follow(after, everything, 100)) as events:
        await publish(stream, 13, 15)
        async for kept in events:
            seen.append(kept.seq)
            if kept.seq == 15:
                break
    assert seen == list(range(after + 1, 16))
    await hub.close()


async def test_a_slow_follower_is_dropped_and_told_where_it_was() -> None:
    """Once more events wait than it may have it is told, and others go on."""
    stream = MemoryEvents()
    hub = EventHub(stream, kept=4)
    async with hub.watch("ex_1"):
        told = asyncio.Event()
        slow = hub.follow(0, everything, 4, on_slow=told.set)
        quick = hub.follow(0, everything, 1_000)
        await publish(stream, 1, 1)
        assert (await anext(slow)).seq == 1
        assert (await anext(quick)).seq == 1
        await publish(stream, 2, 20)
        await caught_up(hub, 20)
        assert [(await anext(quick)).seq for _ in range(19)] == list(range(2, 21))
        await asyncio.wait_for(told.wait(), 10)
        got = [1]
        with pytest.raises(SlowFollowerError) as dropped:
            await _drain(slow, got)
        assert got == list(range(1, dropped.value.last_seq + 1))
        await quick.aclose()
    await hub.close()


async def test_the_end_of_an_execution_wakes_who_waits_for_it() -> None:
    """A watcher hears of the end of its own execution, and leaves nothing behind."""
    stream = MemoryEvents()
    hub = EventHub(stream)
    async with hub.watch("ex_1") as mine, hub.watch("ex_2") as other:
        await publish(stream, 1, 1, "execution.failed")
        await asyncio.wait_for(mine.wait(), 10)
        assert not other.is_set()
    await hub.close()


async def test_nothing_is_read_while_nobody_listens() -> None:
    """The hub reads while somebody listens and stops some time after; who comes later misses
    nothing that happens from then on, nor what is asked for of before."""
    stream = MemoryEvents()
    hub = EventHub(stream, idle_s=0)
    reads = [hub.reading]
    async with hub.watch("ex_1"):
        reads.append(hub.reading)
        await publish(stream, 1, 3)
        await caught_up(hub, 3)
    await asyncio.sleep(0.05)  # its timer of 0 seconds
    reads.append(hub.reading)
    assert reads == [False, True, False]
    await publish(stream, 4, 6)
    assert await hub.last_seq() == 6
    seen = []
    async with asyncio.timeout(10), aclosing(hub.follow(2, everything, 100)) as events:
        async for kept in events:
            seen.append(kept.seq)
            if kept.seq == 6:
                await publish(stream, 7, 7)
            if kept.seq == 7:
                break
    assert seen == [3, 4, 5, 6, 7]
    await hub.close()


async def _drain(following: AsyncGenerator[SequencedEvent, None], into: list[int]) -> None:
    async for kept in following:
        into.append(kept.seq)
