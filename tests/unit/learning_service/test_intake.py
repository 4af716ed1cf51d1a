"""The record from the bus into the store: in order, once, and without what is to be forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.memory.record import MemoryRecordStore
from shared.ports.record import Placed
from tests.unit.learning_service.folds import World, command, forget


async def ids(world: World) -> list[str]:
    return [one.item.id async for one in world.store.read()]


async def test_an_order_takes_effect_where_it_stands() -> None:
    """What came before it goes, from the store and from the bus; what comes after it stays."""
    world = World()
    await world.kept(
        command(1, "eve"),
        command(2, "ann"),
        forget(1, "eve"),
        command(3, "eve"),
        command(4, "ann", "secret"),
        forget(2, line="secret"),
    )
    assert await ids(world) == ["c2", "x1", "c3", "x2"]
    assert [one.item.id for one in world.record.items] == ["c2", "x1", "c3", "x2"]
    assert world.counted("hive_record_forgotten_items_total") == 4


async def test_what_a_step_ran_before_an_order_is_not_kept() -> None:
    """However late it is derived; what was run since, or is no step's, is."""
    world = World()
    order = forget(50, "eve")
    await world.kept(
        order,
        command(1, "eve", source="step"),
        command(2, "ann", source="step"),
        command(60, "eve", source="step"),
        command(3, "eve", source="import"),
    )
    assert await ids(world) == ["x50", "c2", "c60", "c3"]


class Failing(MemoryRecordStore):
    """A store that fails now and then, having done a part of what it was to do."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = 0

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        self.fails += 1
        if self.fails % 3 == 1:
            await super().put(items[: len(items) // 2])
            raise ConnectionError("the store is away")
        return await super().put(items)


async def test_outages_lose_nothing_and_double_nothing() -> None:
    """Whatever the store refuses is read again from where it is kept to."""
    world = World(store=Failing())
    task = asyncio.create_task(world.intake.run())
    wanted = []
    for number in range(30):
        await world.record.add([command(number, "eve" if number == 3 else "ann")])
        wanted += [] if number == 3 else [f"c{number}"]
        if number == 10:
            await world.record.add([forget(1, "eve")])
            wanted.append("x1")
        await asyncio.sleep(0.002)
    async with asyncio.timeout(10):
        while await world.store.count() < len(wanted):
            await world.arrivals.wait(0.01)
    task.cancel()
    assert await ids(world) == wanted
