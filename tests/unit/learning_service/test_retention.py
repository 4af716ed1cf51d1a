"""What goes by age is in a base of every model: online stays what a rebuild gives."""

from __future__ import annotations

import random
from functools import partial

import pytest

from services.learning.housekeeping import DAY_MS, Housekeeping
from services.learning.keeping_up import ModelKeeper, Saving
from shared.ports.record import Expired, Expiring
from tests.unit.learning_service.folds import Lines, World, command, forget

KEEP_DAYS = 10


def aged(exact: bool = False, base_days: int = 3) -> World:
    saving = Saving(every_s=0, keep=1, base_every_ms=base_days * DAY_MS)
    return World(make=partial(Lines, exact=exact), saving=saving)


def cleaner(world: World, version: int = 1) -> Housekeeping:
    days: dict[Expiring, int] = {"command": KEEP_DAYS}
    return Housekeeping(
        world.store,
        world.snapshots,
        days,
        {"lines": version},
        world.clock,
        world.meter,
    )


async def day(world: World, keeper: ModelKeeper, number: int, *users: str) -> None:
    """A day on which each of these runs something, and at the end of which is cleaned up."""
    world.clock.advance(DAY_MS)
    for each, user in enumerate(users):
        one = command(number * 100 + each, user, at_ms=world.clock.now_ms())
        await world.kept(one)
    await keeper.catch_up()
    await cleaner(world).clean_up()


async def rebuilt(world: World) -> bytes:
    keeper = await world.model()
    keeper.order_rebuild()
    await keeper.catch_up()
    return keeper.fold.save()


async def test_a_rebuild_after_retention_gives_what_was_learned() -> None:
    """All of it, to the byte, though most of the record is gone; what is young is still there."""
    world = aged()
    keeper = await world.model()
    for number in range(60):
        await day(world, keeper, number, "ann", "bob")
    online = keeper.fold.save()
    kept = [one.item.at_ms async for one in world.store.read()]
    horizon = world.clock.now_ms() - KEEP_DAYS * DAY_MS
    assert sum(at_ms >= horizon for at_ms in kept) == 2 * (KEEP_DAYS + 1)
    assert len(kept) <= 2 * (KEEP_DAYS + 1 + 2 * 3)
    assert (await world.store.expired()).items == 120 - len(kept)
    assert len(await world.snapshots.find()) < 10
    assert await rebuilt(world) == online
    assert (await world.model()).now.missing == 0


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_online_is_rebuilt_whatever_is_forgotten(seed: int, exact: bool) -> None:
    """After orders that concern what went by age, and what did not; and nothing that was to be
    forgotten is in the model, in any snapshot, or comes back by a rebuild."""
    draw = random.Random(seed)
    world = aged(exact)
    keeper = await world.model()
    forgotten: set[str] = set()
    for number in range(50):
        users = draw.sample(["ann", "bob", "eve", f"new{number}"], 2)
        await day(world, keeper, number, *(user for user in users if user not in forgotten))
        if draw.random() < 0.1 and number > 5:
            user = draw.choice([*users, "eve"])
            forgotten.add(user)
            await world.kept(forget(number, user))
            await keeper.catch_up()
        if draw.random() < 0.2:
            keeper = await world.model()
    online = keeper.fold.save()
    everything = [await world.snapshots.data(one) or b"" for one in await world.snapshots.find()]
    for user in forgotten:
        assert not any(f'"{user}"'.encode() in data for data in [online, *everything])
    assert await rebuilt(world) == online


async def test_who_forgets_what_was_just_run_loses_no_base() -> None:
    """Nor is anything learned again that was in front of it."""
    world = aged()
    keeper = await world.model()
    for number in range(40):
        await day(world, keeper, number, "ann")
    learned = world.counted("hive_learned_items_total", model="lines")
    await world.kept(command(9_999, "ann", "oops", at_ms=world.clock.now_ms()))
    await keeper.catch_up()
    bases = [one.id for one in await world.snapshots.find() if one.base]
    await world.kept(forget(1, "ann", "oops"))
    await keeper.catch_up()
    assert [one.id for one in await world.snapshots.find() if one.base] == bases
    assert b"oops" not in keeper.fold.save()
    assert keeper.now.missing == 0
    assert world.counted("hive_learned_items_total", model="lines") <= learned + 1 + 4
    assert await rebuilt(world) == keeper.fold.save()


async def test_what_cannot_be_learned_any_more_is_said() -> None:
    """A new version reads no base of the old one: it says how much it lacks, and goes on to; and
    nothing more goes by age until it has a base of its own that is old enough."""
    world = aged()
    keeper = await world.model()
    for number in range(40):
        await day(world, keeper, number, "ann")
    gone = await world.store.expired()
    new = partial(Lines, version=2)
    keeper = await world.model(new)
    assert keeper.now.missing == gone.items > 0
    assert (await world.model(new)).now.missing == gone.items
    await cleaner(world, version=2).clean_up()
    assert await world.store.expired() == gone


async def test_without_a_base_nothing_goes() -> None:
    """Whatever its age."""
    world = aged()
    await world.kept(*(command(n) for n in range(5)))
    world.clock.advance(100 * DAY_MS)
    await cleaner(world).clean_up()
    assert await world.store.count() == 5
    assert await world.store.expired() == Expired()


async def test_orders_that_come_while_it_is_rebuilt_are_one_rebuild() -> None:
    """They are obeyed at once, not one after the other."""
    world = aged()
    await world.kept(*(command(n, "eve" if n % 2 else "bob") for n in range(1_000)))
    keeper = await world.model()
    await world.kept(forget(1, "eve"))
    give, given = keeper._give, 0

    async def giving(items: object) -> bool:
        nonlocal given
        given += 1
        if given == 3:
            await world.kept(*(forget(n, "bob", f"echo {n * 2}") for n in range(2, 30)))
        return await give(items)  # type: ignore[arg-type]

    keeper._give = giving  # type: ignore[method-assign]
    await keeper.catch_up()
    assert world.counted("hive_learning_rebuilds_total", reason="forget") == 2
    assert keeper.fold.save() == await rebuilt(world)
