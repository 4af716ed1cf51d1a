"""What is to be forgotten is gone from answers at once, and from the model once it is made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from services.suggestion.following import Following
from services.suggestion.hiding import Hidden
from services.suggestion.models import Models
from shared.learning.command_text import MAX_LINE
from shared.learning.history import Situation
from shared.learning.next_command_fold import NextCommandFold
from shared.learning.records import AnyRecord, Forget, RecordedCommand
from shared.memory.record import MemoryRecord, MemoryRecordFeed, MemoryRecordStore
from shared.memory.snapshots import MemorySnapshots
from shared.ports.record import Placed
from shared.ports.snapshots import Snapshot

SECRET = "deploy --key hunter2"


@dataclass
class World:
    """A suggestion service's following over memory, and what the learning service does beside."""

    record: MemoryRecord
    store: MemoryRecordStore
    snapshots: MemorySnapshots
    following: Following

    @property
    def models(self) -> Models:
        return self.following.models

    async def ran(self, user: str, *lines: str) -> None:
        count = len(self.record.items)
        await self.add(
            *(
                RecordedCommand(id=f"{count}-{n}", at_ms=n, user=user, command=line, session="s")
                for n, line in enumerate(lines)
            )
        )

    async def add(self, *items: AnyRecord) -> None:
        await self.record.add(items)
        last = self.record.items[-1].place
        await until(lambda: self.following.place >= last)

    async def forgot(self, order: Forget) -> None:
        """The learning service obeys an order, keeps the record, and saves its model."""
        await self.add(order)
        await self.obey(order)

    async def obey(self, order: Forget) -> None:
        place = next(one.place for one in self.record.items if one.item == order)
        await self.record.erase(order, place)
        await self.store.remove(order, place)
        await self.store.put(self.record.items)
        fold, last = NextCommandFold(), 0
        async for placed in self.store.read(upto=place):
            last = placed.place
            if not isinstance(placed.item, Forget):
                fold.apply(placed.item, placed.place)
        data, digest = fold.save(), sha256(fold.save()).hexdigest()
        about = Snapshot(f"s{place}", fold.name, fold.version, last, place, 0, 0, len(data), digest)
        await self.snapshots.put(about, data)

    def shown(self, user: str) -> set[str]:
        """What this user is shown to come next, as answers are filtered."""
        likely = self.models.commands.model.predict(Situation(user, "s"), 20)
        return {one.text for one in likely if not self.models.hidden.hides(one.text)}


async def until(holds: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + 10
    while not holds():
        assert loop.time() < end
        await asyncio.sleep(0.01)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    record, store, snapshots = MemoryRecord(), MemoryRecordStore(), MemorySnapshots()
    made = Following(Models(), MemoryRecordFeed(record), store, snapshots, look_s=0.02)
    made.start()
    yield World(record, store, snapshots, made)
    await made.close()


async def test_a_forgotten_line_is_shown_to_nobody_at_once(world: World) -> None:
    """Before any model is made anew, and after; what else was run stays."""
    for user in ("ann", "bob", "ann", "bob"):
        await world.ran(user, "git pull", SECRET)
    assert all(SECRET in world.shown(user) for user in ("ann", "bob", "eve"))
    order = Forget(id="x", at_ms=1, by="admin", command=SECRET)
    await world.add(order)
    for user in ("ann", "bob", "eve"):
        assert SECRET not in world.shown(user)
        assert "git pull" in world.shown(user)
    old = world.models.commands
    await world.obey(order)
    await until(lambda: world.models.commands is not old)
    for user in ("ann", "bob", "eve"):
        assert SECRET not in world.shown(user)
        assert "git pull" in world.shown(user)
    assert not world.models.hidden.hides(SECRET)
    assert SECRET.encode() not in world.models.commands.save()


async def test_a_line_that_is_run_again_counts_again(world: World) -> None:
    """Once the model is made anew: what came after the order was not to be forgotten."""
    await world.ran("ann", "git pull", SECRET)
    old = world.models.commands
    await world.forgot(Forget(id="x", at_ms=1, by="ann", user="ann", command=SECRET))
    await until(lambda: world.models.commands is not old)
    await world.ran("ann", SECRET)
    assert SECRET in world.shown("ann")


async def test_a_later_order_holds_for_a_model_that_is_made_anew_without_it(world: World) -> None:
    """While it is read, another order comes: what that one names is gone from the new model."""
    for user in ("ann", "bob", "ann", "bob"):
        await world.ran(user, "git pull", SECRET, f"vim {user}.txt")
    first = Forget(id="x", at_ms=1, by="bob", user="bob")
    await world.add(first)
    assert "vim bob.txt" not in world.shown("bob")
    old, second = world.models.commands, Forget(id="y", at_ms=2, by="ann", user="ann")
    read = world.store.read

    async def slowly(after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        async for one in read(after, upto):
            yield one
        if upto is None and second not in [one.item for one in world.record.items]:
            await world.add(second)

    world.store.read = slowly  # type: ignore[method-assign]
    await world.obey(first)
    await until(lambda: world.models.commands is not old)
    assert "vim ann.txt" not in world.shown("ann")
    again = world.models.commands
    await world.obey(second)
    await until(lambda: world.models.commands is not again)
    assert world.shown("ann") == set()


def test_what_is_cut_off_is_hidden_while_an_order_waits() -> None:
    """The digest is that of the whole line, and the model knows its beginning only."""
    hidden, long = Hidden(), "x" * (MAX_LINE + 9)
    assert not hidden.hides(long[:MAX_LINE])
    hidden.hide(Forget(id="x", at_ms=1, by="ann", user="ann", command=long), 7)
    assert hidden.hides(long[:MAX_LINE])
    hidden.obeyed(6)
    assert hidden.hides(long[:MAX_LINE])
    hidden.obeyed(7)
    assert not hidden.hides(long[:MAX_LINE])
