"""Partitions are opened beside the leases, which go on being renewed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from services.executor.coordinator.partitions import MEMBER, PARTITION, PartitionKeeper
from shared.memory.bus import MemoryBus
from shared.memory.leases import MemoryLeases

PARTITIONS = 4
PATIENCE_S = 20.0


class Openings:
    """Opens partitions; `slow` ones wait for `go`, `bad` ones fail once."""

    def __init__(self) -> None:
        self.opened: Counter[int] = Counter()
        self.begun: Counter[int] = Counter()
        self.closed: Counter[int] = Counter()
        self.slow: set[int] = set()
        self.bad: set[int] = set()
        self.go = asyncio.Event()

    async def open(self, partition: int) -> None:
        self.begun[partition] += 1
        if partition in self.bad:
            self.bad.discard(partition)
            raise TimeoutError("no answer")
        if partition in self.slow:
            await self.go.wait()
        self.opened[partition] += 1

    async def close(self, partition: int) -> None:
        self.closed[partition] += 1


def keeper_of(bus: MemoryBus, openings: Openings) -> PartitionKeeper:
    return PartitionKeeper(
        MemoryLeases(bus),
        "one",
        on_gained=openings.open,
        on_lost=openings.close,
        partitions=PARTITIONS,
    )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - the keeper's own task changes it
            await asyncio.sleep(0.01)


def expires_ms(bus: MemoryBus, partition: int) -> int:
    return bus.leases[f"{PARTITION}{partition}"].until_ms


async def test_leases_are_renewed_while_a_partition_opens() -> None:
    """An opening that takes long holds up no renewal, neither its own partition's nor another's,
    and is not begun a second time."""
    bus, openings = MemoryBus(), Openings()
    keeper = keeper_of(bus, openings)
    await keeper.start()
    assert set(openings.opened) == set(range(PARTITIONS))
    openings.slow.add(1)
    keeper.reader_lost(1)
    await until(lambda: openings.begun[1] == 2)
    for _ in range(2):
        before = expires_ms(bus, 0), expires_ms(bus, 1)
        bus.clock.advance(1_000)
        await until(lambda before=before: expires_ms(bus, 0) > before[0])  # type: ignore[misc]
        assert expires_ms(bus, 1) > before[1]
    assert (openings.begun[1], openings.opened[1]) == (2, 1)
    openings.go.set()
    await until(lambda: openings.opened[1] == 2)
    await keeper.close()


class AwayAtFirst(MemoryLeases):
    """Leases whose server does not answer one holder, once."""

    refusals = 1

    async def acquire(self, name: str, owner: str) -> bool:
        if name.startswith(PARTITION) and self.refusals:
            self.refusals -= 1
            raise OSError("leases not reached: nats: timeout")
        return await super().acquire(name, owner)


async def test_a_server_that_is_slow_at_the_start_ends_nobody() -> None:
    """Leases that do not answer while a coordinator starts are asked again, and all are held when
    it has started."""
    openings = Openings()
    leases = AwayAtFirst(MemoryBus())
    keeper = PartitionKeeper(
        leases, "one", on_gained=openings.open, on_lost=openings.close, partitions=PARTITIONS
    )
    await keeper.start()
    assert leases.refusals == 0
    assert openings.opened == Counter(range(PARTITIONS))
    await keeper.close()


async def test_an_opening_that_failed_is_tried_again() -> None:
    """A server that did not answer is asked in a later round; the lease is held meanwhile."""
    bus, openings = MemoryBus(), Openings()
    openings.bad = {2}
    keeper = keeper_of(bus, openings)
    await keeper.start()
    assert keeper.held == set(range(PARTITIONS))
    await until(lambda: openings.opened[2] == 1)
    assert openings.begun[2] == 2
    await keeper.close()


@pytest.mark.parametrize("slow", [True, False])
async def test_what_another_has_taken_is_closed(slow: bool) -> None:
    """A partition whose lease was lost is closed, also in the middle of its opening."""
    bus, openings = MemoryBus(), Openings()
    keeper = keeper_of(bus, openings)
    await keeper.start()
    if slow:
        openings.slow.add(3)
        keeper.reader_lost(3)
        await until(lambda: openings.begun[3] == 2)
    bus.clock.advance(bus.lease_ttl_ms)
    other = MemoryLeases(bus)
    assert await other.acquire(f"{PARTITION}3", "other")
    await other.acquire(f"{MEMBER}other", "other")
    await until(lambda: openings.closed[3] == 1)
    assert 3 not in keeper.held
    openings.go.set()
    await asyncio.sleep(0.05)
    assert openings.opened[3] == 1
    await keeper.close()
