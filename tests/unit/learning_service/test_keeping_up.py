"""Models that keep up with the record: the same whether folded as things came, or rebuilt."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import pytest

from services.learning.keeping_up import OTHER_VERSIONS_MS, Saving, superfluous
from shared.ports.snapshots import Snapshot
from tests.unit.learning_service.folds import Lines, World, command, forget


async def rebuilt(world: World, exact: bool = False) -> bytes:
    """The bytes of a model that is folded from what is kept, by itself."""
    model = Lines(exact=exact)
    async for placed in world.store.read():
        if placed.item.type != "forget":
            try:
                model.apply(placed.item, placed.place)
            except RuntimeError:
                continue
    return model.save()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("seed", range(6))
async def test_online_is_rebuilt(seed: int, exact: bool) -> None:
    """However items, orders to forget, saves, crashes and doubles follow each other: the model is
    the one that is rebuilt from what is kept."""
    draw = random.Random(seed)
    world = World(make=partial(Lines, exact=exact))
    keeper = await world.model()
    for number in range(60):
        user = draw.choice(["ann", "bob", "eve"])
        line = draw.choice(["", "", "ls", "poison"])
        await world.kept(command(draw.choice([number, number // 2]), user, line))
        if draw.random() < 0.1:
            await world.kept(
                forget(number, draw.choice(["", user]), draw.choice(["", "ls"]) or "never")
                if draw.random() < 0.5
                else forget(number, user)
            )
        if draw.random() < 0.5:
            await keeper.catch_up()
        if draw.random() < 0.2:
            await keeper.save()
        if draw.random() < 0.15:  # killed: only what is stored remains
            keeper = await world.model()
    await keeper.catch_up()
    assert keeper.fold.save() == await rebuilt(world, exact)
    again = await world.model()
    assert again.fold.save() == keeper.fold.save()


@pytest.mark.parametrize("exact", [True, False])
async def test_what_is_forgotten_is_as_if_it_had_never_been(exact: bool) -> None:
    """The bytes are those of a model that never saw the user, and no older snapshot is left."""
    world = World(make=partial(Lines, exact=exact))
    await world.kept(*(command(n, "eve" if n % 3 else "ann") for n in range(20)))
    keeper = await world.model()
    await keeper.save()
    await world.kept(forget(1, "eve"), command(90, "eve", "later"), command(91, "ann"))
    await keeper.catch_up()
    never = Lines()
    kept = [n for n in range(20) if n % 3 == 0]
    for n in kept:
        never.apply(command(n), 1_000 + n)
    never.apply(command(90, "eve", "later"), 1_021)
    never.apply(command(91, "ann"), 1_022)
    assert keeper.fold.save() == never.save()
    saved = [await world.snapshots.data(one) for one in await world.snapshots.find()]
    assert saved == [never.save()]


async def test_orders_that_were_obeyed_do_not_rebuild_again() -> None:
    """A model rebuilt once stays: neither a restart nor the orders in the record rebuild it."""
    world = World()
    await world.kept(*(command(n) for n in range(5)), forget(1, "ann"), forget(2, "bob"))
    keeper = await world.model()
    assert world.counted("hive_learning_rebuilds_total", reason="forget") == 0
    await world.kept(command(7, "bob"))
    await keeper.catch_up()
    await world.kept(forget(3, "bob"), forget(4, "eve"), command(8))
    await keeper.catch_up()
    assert world.counted("hive_learning_rebuilds_total", reason="forget") == 1
    await world.model()
    await keeper.catch_up()
    assert world.counted("hive_learning_rebuilds_total", reason="forget") == 1
    assert [line for _, _, line in Lines_of(keeper.fold)] == ["echo 8"]


def Lines_of(fold: object) -> list[tuple[int, str, str]]:  # noqa: N802 - names a class
    assert isinstance(fold, Lines)
    return fold.seen


async def test_a_start_goes_on_from_the_newest_snapshot() -> None:
    """Only what follows the snapshot is folded in."""
    world = World()
    await world.kept(*(command(n) for n in range(10)))
    await (await world.model()).save()
    await world.kept(command(11))
    keeper = await world.model()
    assert world.counted("hive_learned_items_total", model="lines") == 11
    assert keeper.now.items == 11


@pytest.mark.parametrize("harm", ["damaged", "other version", "not read", "ahead"])
async def test_a_snapshot_that_cannot_be_used_is_passed_by(harm: str) -> None:
    """Then an older one is used, and without any it is rebuilt, with the same bytes."""
    world = World()
    await world.kept(*(command(n) for n in range(10)))
    keeper = await world.model()
    whole = keeper.fold.save()
    await keeper.save()
    for snapshot, data in list(world.snapshots.kept.values()):
        bad = b"no" if harm == "not read" else data
        changed = {
            "damaged": replace(snapshot, digest="0"),
            "other version": replace(snapshot, version=2),
            "not read": replace(snapshot, digest=_digest(bad)),
            "ahead": replace(snapshot, place=9_999_999),
        }[harm]
        world.snapshots.kept[snapshot.id] = changed, bad
    again = await world.model()
    assert again.fold.save() == whole
    assert world.counted("hive_learning_rebuilds_total", reason="start") == 2


def _digest(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


async def test_a_new_version_is_rebuilt() -> None:
    """A model whose version rose does not read what the old one saved."""
    world = World()
    await world.kept(*(command(n) for n in range(4)))
    await (await world.model()).save()
    keeper = await world.model(partial(Lines, version=2))
    assert keeper.now.rebuilding is None
    assert keeper.now.items == 4
    assert [one.version for one in await world.snapshots.find("lines")] == [2, 1]


async def test_an_ordered_rebuild_begins_with_nothing() -> None:
    """Its snapshots go, all is folded in again, and it is saved at once."""
    world = World()
    await world.kept(*(command(n) for n in range(6)))
    keeper = await world.model()
    await keeper.save()
    before = keeper.fold.save()
    keeper.order_rebuild()
    stood: list[str] = [keeper.rebuilding]
    await keeper.catch_up()
    assert [*stood, keeper.rebuilding] == ["order", ""]
    assert keeper.fold.save() == before
    assert world.counted("hive_learned_items_total", model="lines") == 12
    (snapshot,) = await world.snapshots.find("lines")
    assert snapshot.items == 6


async def test_an_item_that_it_fails_at_is_skipped() -> None:
    """The others are learned; it is counted."""
    world = World()
    await world.kept(command(1), command(2, line="poison"), command(3))
    keeper = await world.model()
    assert [line for _, _, line in Lines_of(keeper.fold)] == ["echo 1", "echo 3"]
    assert keeper.now.skipped == 1
    assert world.counted("hive_learning_skipped_items_total", model="lines") == 1


async def test_an_item_that_comes_twice_counts_once() -> None:
    """By its id, whatever is in it the second time."""
    world = World()
    await world.kept(command(1), command(1, line="again"))
    await world.kept(command(1), command(2))
    assert len(Lines_of((await world.model()).fold)) == 2


def snapshot(place: int, version: int = 1, at_ms: int = 0) -> Snapshot:
    return Snapshot(f"{version}.{place}", "m", version, place, place, 0, at_ms, 0, "")


def test_old_snapshots_go() -> None:
    """The highest of this version stay, and those of others for a day."""
    newest = snapshot(9, at_ms=OTHER_VERSIONS_MS)
    found = [newest, snapshot(8), snapshot(7), snapshot(99, 2, 1), snapshot(98, 2, -1)]
    assert superfluous(found, newest, 2) == ["1.7", "2.98"]
    assert superfluous([newest], newest, 1) == []


async def test_it_saves_when_it_is_time() -> None:
    """With something new, and not more often than it is told to."""
    world = World(saving=Saving(every_s=0, keep=2))
    keeper = await world.model()
    assert await world.snapshots.find() == []
    for number in range(5):
        await world.kept(command(number))
        await keeper.catch_up()
        await keeper.catch_up()
    assert [one.items for one in await world.snapshots.find()] == [5, 4, 1]
    assert [one.base for one in await world.snapshots.find()] == [False, False, True]
    base = world.registry.get_sample_value("hive_model_base_timestamp_seconds", {"model": "lines"})
    assert base == (await world.snapshots.find())[-1].at_ms / 1_000
