"""One model, kept up with the record: what follows its place is folded in, and it is saved.

The law:

1. A model has a *place*. It follows from what the record keeps up to there, and from nothing else;
   so it is the same whether it was folded as things came, or is rebuilt.
2. It begins with its newest snapshot that can be used: of its version, whole, not ahead of the
   record, and not in front of what went by age. Without one it begins with nothing, at place 0;
   how many items had gone by age before is its `missing`, and stays with it.
3. An order to forget that it cannot obey exactly makes it begin again, with the newest snapshot in
   front of the first thing that the order named (its *reach*), which is gone from the record by
   then. So do orders that came while it was being rebuilt: all that are there are obeyed in one.
   Snapshots that reach as far as what an order named are deleted, those in front of it stay.
4. Now and then a snapshot is a *base*, which stays until retention has gone beyond it. What went by
   age is in every model's base (`housekeeping`); a rebuild that is ordered begins with the oldest.
5. An item that it fails at is skipped, and logged without what stands in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from time import monotonic, perf_counter
from typing import Final, Literal

import structlog

from services.learning.intake import Arrivals
from services.learning.pace import SLICE_S, Pace
from shared.learning.fold import Fold
from shared.learning.records import Forget
from shared.ports.clock import Clock
from shared.ports.record import Placed, RecordStore
from shared.ports.snapshots import Snapshot, SnapshotStore
from shared.runtime.learning_meter import LearningMeter

log = structlog.get_logger()

CHUNK: Final = 200
WAIT_S: Final = 5.0
AGAIN_S: Final = 2.0
OTHER_VERSIONS_MS: Final = 24 * 3_600_000
"""For how long snapshots of other versions are left to who still runs them."""

Reason = Literal["start", "forget", "order"]


@dataclass(frozen=True, slots=True)
class Saving:
    """When a model is saved: after so long, if something is new; `keep` snapshots are kept."""

    every_s: float = 300.0
    keep: int = 3
    base_every_ms: int = 30 * 24 * 3_600_000
    """How often one is a base."""


@dataclass(slots=True)
class Standing:
    """How a model stands."""

    place: int = 0
    forgotten: int = 0
    items: int = 0
    skipped: int = 0
    missing: int = 0
    rebuilding: Reason | None = None
    begun: float = field(default_factory=monotonic)
    """When this life of it began."""
    since: float = field(default_factory=monotonic)
    """When it last held all that was kept."""
    saved: Snapshot | None = None
    saved_at: float = field(default_factory=monotonic)


class ModelKeeper:
    """Keeps one model."""

    def __init__(
        self,
        make: Callable[[], Fold],
        store: RecordStore,
        snapshots: SnapshotStore,
        arrivals: Arrivals,
        pace: Pace,
        clock: Clock,
        meter: LearningMeter,
        saving: Saving | None = None,
    ) -> None:
        self._make = make
        self._store = store
        self._snapshots = snapshots
        self._arrivals = arrivals
        self._pace = pace
        self._clock = clock
        self._meter = meter
        self._saving = saving or Saving()
        self.fold = make()
        self.now = Standing()
        self._ordered = False

    @property
    def name(self) -> str:
        """The model's."""
        return self.fold.name

    @property
    def behind_s(self) -> float:
        """For how long it has not held all that is kept; 0 while it is being rebuilt."""
        return 0.0 if self.now.rebuilding else max(0.0, monotonic() - self.now.since)

    @property
    def rebuilding_s(self) -> float:
        """For how long it has been rebuilt by now; 0 while it is not."""
        return monotonic() - self.now.begun if self.now.rebuilding else 0.0

    @property
    def rebuilding(self) -> Literal["", "start", "forget", "order"]:
        """Why it is being rebuilt, or will be in a moment."""
        return "order" if self._ordered else self.now.rebuilding or ""

    def order_rebuild(self) -> None:
        """Begin with nothing, as soon as what is in hand is done."""
        self._ordered = True
        self._arrivals.tell()

    async def run(self) -> None:
        """Keep up, for ever; after an outage from where it was."""
        begun = False
        while True:
            try:
                if not begun:
                    await self.begin()
                begun = True
                await self.catch_up()
                await self._arrivals.wait(self._patience_s())
            except Exception as error:
                self._meter.errors.count("internal")
                log.warning(
                    "model waits to go on",
                    model=self.name,
                    error=f"{type(error).__name__}: {error}"[:300],
                )
                await asyncio.sleep(AGAIN_S)

    async def begin(self) -> None:
        """Take the newest snapshot that can be used, or begin with nothing."""
        last = await self._store.last()
        if await self._adopt_newest(last):
            return
        await self._empty(last)
        self.now.rebuilding = "start" if last else None
        if last:
            self._meter.rebuilt("start")

    async def catch_up(self) -> None:
        """Fold in all that is kept, and save it when it is time."""
        if self._ordered:
            await self._start_over("order")
        while (last := await self._store.last()) > self.now.place:
            await self._fold_upto(last)
            if self._is_time():
                await self.save()
        self.now.since = monotonic()
        if self.now.rebuilding:
            log.info("model is rebuilt", model=self.name, items=self.now.items)
            await self.save()
            self.now.rebuilding = None
        elif self._is_time():
            await self.save()

    async def save(self) -> None:
        """Make a snapshot, and delete those that are too many."""
        now = self.now
        data = await self._pace.run(self.fold.save)
        at_ms = self._clock.now_ms()
        snapshot = Snapshot(
            id=f"{self.name}.{self.fold.version}.{now.place}.{at_ms}",
            model=self.name,
            version=self.fold.version,
            place=now.place,
            forgotten=max(now.place, now.forgotten),
            items=now.items,
            at_ms=at_ms,
            size=len(data),
            digest=sha256(data).hexdigest(),
            base=await self._is_base_due(at_ms),
            missing=now.missing,
        )
        await self._snapshots.put(snapshot, data)
        now.saved, now.saved_at = snapshot, monotonic()
        self._meter.saved(self.name, at_ms, len(data))
        await self._snapshots.delete(
            superfluous(await self._snapshots.find(self.name), snapshot, self._saving.keep)
        )

    async def _is_base_due(self, at_ms: int) -> bool:
        bases = [one for one in await self._snapshots.find(self.name) if one.base]
        mine = [one.at_ms for one in bases if one.version == self.fold.version]
        is_due = not mine or at_ms - max(mine) >= self._saving.base_every_ms
        self._meter.base(self.name, at_ms if is_due else max(mine))
        return is_due

    def _is_time(self) -> bool:
        return self._has_new() and monotonic() - self.now.saved_at >= self._saving.every_s

    def _patience_s(self) -> float:
        """How long to wait for more, at most: until there is something to save."""
        until_save = self._saving.every_s - (monotonic() - self.now.saved_at)
        return max(0.05, min(WAIT_S, until_save)) if self._has_new() else WAIT_S

    def _has_new(self) -> bool:
        return self.now.place > (self.now.saved.place if self.now.saved is not None else 0)

    async def _adopt_newest(self, last: int) -> bool:
        """Be what the newest snapshot holds that can be used; false where there is none."""
        gone = await self._store.expired()
        for snapshot in await self._snapshots.find(self.name):
            if snapshot.version != self.fold.version:
                continue
            if snapshot.place < gone.place and not snapshot.missing:
                log.warning("snapshot is in front of what went by age", snapshot=snapshot.id)
            elif await self._adopt(snapshot, last):
                return True
        return False

    async def _adopt(self, snapshot: Snapshot, last: int) -> bool:
        """Be what a snapshot holds; false where it cannot be used."""
        if snapshot.place > last:
            log.warning("snapshot is ahead of the record", snapshot=snapshot.id, last=last)
            return False
        data = await self._snapshots.data(snapshot)
        if data is None:
            log.warning("snapshot is damaged", snapshot=snapshot.id)
            return False
        fold = self._make()
        try:
            await self._pace.run(lambda: fold.load(data))
        except Exception as error:  # a fold's own; whatever it is, there are others
            log.warning("snapshot not read", snapshot=snapshot.id, error=str(error)[:300])
            return False
        self.fold = fold
        self.now = Standing(snapshot.place, snapshot.forgotten, snapshot.items, saved=snapshot)
        self.now.missing = snapshot.missing
        self._meter.saved(self.name, snapshot.at_ms, snapshot.size)
        log.info("model begins with a snapshot", model=self.name, place=snapshot.place)
        return True

    async def _empty(self, last: int) -> None:
        missing = (await self._store.expired()).items
        self.fold = self._make()
        self.now = Standing(forgotten=last, missing=missing)
        if missing:
            log.warning(
                "model begins without what went by age: no snapshot that holds it can be used",
                model=self.name,
                version=self.fold.version,
                items=missing,
            )

    async def _start_over(self, reason: Reason) -> None:
        """Begin anew. Orders up to where the record ends now have been obeyed there."""
        last = await self._store.last()
        since = await (self._reach(last) if reason == "forget" else self._oldest_base())
        if reason == "forget" and since > self.now.place:
            self.now.forgotten = last  # it never saw what they name
            return
        await self._drop_since(since)
        if await self._adopt_newest(last):
            self.now.forgotten = last
        else:
            await self._empty(last)
            self._meter.saved(self.name, 0, 0)
        self.now.rebuilding = reason
        self._ordered = False
        self._meter.rebuilt(reason)
        log.info(
            "model is rebuilt from the record",
            model=self.name,
            reason=reason,
            place=self.now.place,
        )

    async def _reach(self, last: int) -> int:
        """The first place that orders concern which are not obeyed yet; behind `last` where none
        concerns anything."""
        return await self._store.reach(max(self.now.place, self.now.forgotten), last)

    async def _has_more_to_forget(self) -> bool:
        last = await self._store.last()
        return self.fold.personal and await self._reach(last) <= last

    async def _oldest_base(self) -> int:
        """The place behind the oldest base, where it holds what is not kept any more; else 0."""
        gone = await self._store.expired()
        bases = [
            one.place
            for one in await self._snapshots.find(self.name)
            if one.base and one.version == self.fold.version and one.place >= gone.place
        ]
        return min(bases) + 1 if bases and gone.items else 0

    async def _drop_since(self, place: int) -> None:
        """Delete the snapshots that reach as far as a place."""
        found = await self._snapshots.find(self.name)
        await self._snapshots.delete([one.id for one in found if one.place >= place])

    async def _fold_upto(self, last: int) -> None:
        """Give it what is kept behind its place; ends early when it must start over."""
        async with aclosing(chunks(self._store.read(self.now.place, last), CHUNK)) as found:
            async for chunk in found:
                if self._ordered:
                    return await self._start_over("order")
                if self.now.rebuilding and await self._has_more_to_forget():
                    return await self._start_over("forget")
                if not await self._give(chunk):
                    return await self._start_over("forget")
                if self._is_time():
                    await self.save()
        self.now.place = max(self.now.place, last)
        return None

    async def _give(self, items: Sequence[Placed]) -> bool:
        """Fold items in; false at an order to forget that it cannot obey."""
        at = 0
        while at < len(items):
            order = items[at].item
            if isinstance(order, Forget):
                if items[at].place > self.now.forgotten and not await self._obey(
                    order, items[at].place
                ):
                    return False
                at += 1
            else:
                at = await self._pace.run(partial(self._slice, items, at))
            self.now.place = items[at - 1].place
        return True

    async def _obey(self, order: Forget, place: int) -> bool:
        if not await self._pace.run(lambda: self._forgets(order)):
            return False
        if not self.fold.personal:
            return True  # nothing that an order can name was ever in it
        await self._drop_since(await self._store.reach(self.now.place, place))
        self.now.saved, self.now.saved_at = None, monotonic() - self._saving.every_s
        return True

    def _slice(self, items: Sequence[Placed], at: int) -> int:
        """Give it items from `at` on, for a slice of time; in the thread. Gives where it stopped:
        at an order to forget, at the end, or because time is over."""
        until = perf_counter() + SLICE_S
        begun = at
        while at < len(items) and not isinstance(items[at].item, Forget):
            try:
                self.fold.apply(items[at].item, items[at].place)
            except Exception as error:  # a defect of one model, at one item
                self._failed(items[at], error)
            at += 1
            if perf_counter() > until:
                break
        self.now.items += at - begun
        self._meter.learned(self.name).inc(at - begun)
        return at

    def _forgets(self, order: Forget) -> bool:
        try:
            return self.fold.forget(order)
        except Exception as error:  # a defect of one model: without it, it is rebuilt
            log.error("model failed to forget", model=self.name, error=type(error).__name__)  # noqa: TRY400 - what stands in an item is not told
            return False

    def _failed(self, placed: Placed, error: Exception) -> None:
        self.now.skipped += 1
        self._meter.skipped(self.name).inc()
        log.error(
            "model failed at an item",
            model=self.name,
            type=placed.item.type,
            place=placed.place,
            error=type(error).__name__,
        )


def superfluous(found: Sequence[Snapshot], newest: Snapshot, keep: int) -> Sequence[str]:
    """Ids of the snapshots that may go: of this version beyond the highest `keep`, of others once
    they are old."""
    mine = [one for one in found if one.version == newest.version and not one.base]
    others = [one for one in found if one.version != newest.version]
    gone = [*mine[keep:], *(o for o in others if o.at_ms < newest.at_ms - OTHER_VERSIONS_MS)]
    return [one.id for one in gone if one.id != newest.id]


async def chunks(items: AsyncIterator[Placed], size: int) -> AsyncGenerator[Sequence[Placed], None]:
    """Items, so many at a time."""
    waiting: list[Placed] = []
    async for one in items:
        waiting.append(one)
        if len(waiting) >= size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
