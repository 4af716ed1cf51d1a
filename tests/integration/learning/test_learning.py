"""What is learned online is what is rebuilt, to the byte, however the service was killed."""

from __future__ import annotations

import asyncio

import pytest

from services.learning.models import MODELS
from shared.learning.records import Forget, RecordedCommand
from tests.integration.learning.world import PATIENCE_S, LearningWorld, commands

PERSONAL = {made.name for made in (make() for make in MODELS) if made.personal}

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_killed_midway_it_learns_everything_once(world: LearningWorld) -> None:
    """kill -9 while it folds, twice: the model is the one that is folded from what is kept."""
    added = 0
    for _ in range(2):
        batch = commands(60, "ann", "bob", "eve")
        await world.add(*batch)
        await world.add(*batch[:10])
        added += len(batch)
        await asyncio.sleep(0.4)
        await world.kill()
        await world.add(*commands(20, "ann"))
        added += 20
        await world.start()
    online = await world.saved()
    assert await world.store.count() == added
    assert online == await world.rebuilt()


async def test_what_is_forgotten_was_never_there(world: LearningWorld) -> None:
    """After an order to forget the bytes are those of a model that never saw the user, on the bus
    nothing of the user is left, and older snapshots are gone."""
    await world.add(*commands(30, "ann", "eve"))
    placed = [one async for one in world.store.read() if isinstance(one.item, RecordedCommand)]
    first = min(one.place for one in placed if one.item.user == "eve")  # type: ignore[union-attr]
    before = {
        one.id
        for one in await world.snapshots.find()
        if one.place >= first and one.model in PERSONAL
    }
    await world.add(Forget(id="x1", at_ms=1, by="admin", user="eve"))
    await world.add(*commands(5, "ann"))
    online = await world.saved()
    assert b"eve" not in await _plain(world)
    assert online == await world.rebuilt()
    until_s = asyncio.get_running_loop().time() + PATIENCE_S
    while left := before & {one.id for one in await world.snapshots.find()}:
        # Each model comes to the order in its own time.
        assert asyncio.get_running_loop().time() < until_s, left
        await asyncio.sleep(0.1)


async def _plain(world: LearningWorld) -> bytes:
    kept = [one.item.model_dump_json() async for one in world.store.read()]
    return "\n".join(line for line in kept if '"forget"' not in line).encode()


async def test_a_rebuild_gives_the_same_bytes(world: LearningWorld) -> None:
    """Ordered through the gateway, by an admin, it ends with what was there before."""
    before = await world.saved()
    old = {one.id for one in await world.snapshots.find("next-command")}
    viewer = await world.world.as_role("operator")
    path = "/api/v1/learning/rebuild"
    assert (await viewer.post(path, json={"model": "next-command"})).status_code == 403
    unknown = await world.world.client.post(path, json={"model": "nothing"})
    assert unknown.status_code == 404
    assert "next-command" in unknown.text
    answer = await world.world.client.post(path, json={"model": "next-command"})
    assert answer.status_code == 202
    await world.rebuilt_by_now()
    assert await world.saved() == before
    assert old.isdisjoint({one.id for one in await world.snapshots.find("next-command")})
