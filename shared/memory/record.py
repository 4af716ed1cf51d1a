"""The record in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

from shared.learning.records import AnyRecord, Forget, named_by
from shared.ports.record import Expired, Expiring, Placed

FIRST_PLACE = 1_000
"""Places do not begin at 1 in the real stream either."""


class MemoryRecord:
    """The stream: sink, and what may be done to it."""

    def __init__(self, first: int = FIRST_PLACE) -> None:
        self.items: list[Placed] = []
        self.added = asyncio.Condition()
        self._ids: set[tuple[str, str]] = set()
        self._next = first

    async def add(self, items: Sequence[AnyRecord]) -> None:
        """Add them in this order; one whose id is known is dropped."""
        async with self.added:
            for item in items:
                if (item.type, item.id) not in self._ids:
                    self._ids.add((item.type, item.id))
                    self.items.append(Placed(self._next, item))
                    self._next += 1
            self.added.notify_all()

    async def lift(self, after: int) -> None:
        """What is added from now on has a place behind `after`."""
        if self._next <= after:
            self.items.clear()
            self._next = after + 1

    async def erase(self, order: Forget, before: int) -> int:
        """Remove what is meant in front of a place."""
        count = len(self.items)
        self.items = [one for one in self.items if one.place >= before or not order.means(one.item)]
        return count - len(self.items)


class MemoryRecordFeed:
    """Reads a stream from a place on."""

    def __init__(self, record: MemoryRecord) -> None:
        self._record = record
        self._after = 0
        self._closed = False

    async def start(self, after: int) -> None:
        """Give what follows place `after`."""
        self._after = after

    async def take(self, limit: int, wait_s: float) -> Sequence[Placed]:
        """Wait for the next items, at most so long."""
        try:
            async with asyncio.timeout(wait_s), self._record.added:
                while not (found := self._next(limit)):
                    await self._record.added.wait()
        except TimeoutError:
            return ()
        self._after = found[-1].place
        return found

    async def close(self) -> None:
        """Give nothing more."""
        self._closed = True

    def _next(self, limit: int) -> list[Placed]:
        if self._closed:
            return []
        return [one for one in self._record.items if one.place > self._after][:limit]


class MemoryRecordStore:
    """Keeps the record for as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Placed] = {}
        self._last = 0
        self._reaches: dict[int, int] = {}
        self._expired = Expired()
        self._gone: set[str] = set()

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        """Keep items that are behind `last`; gives those that are new, in order."""
        last, new = self._last, []
        for one in sorted(items, key=lambda placed: placed.place):
            if one.place <= last:
                continue
            self._last = max(self._last, one.place)
            key = (one.item.type, one.item.id)
            if key not in self._kept:
                self._kept[key] = one
                new.append(one)
        return tuple(new)

    async def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order."""
        for one in sorted(self._kept.values(), key=lambda placed: placed.place):
            if one.place > after and (upto is None or one.place <= upto):
                yield one

    async def of_user(self, user: str) -> AsyncIterator[Placed]:
        """Every command and feedback of one user, in order."""
        async for one in self.read():
            if user and named_by(one.item)[0] == user:
                yield one

    async def count(self, after: int = 0) -> int:
        """How many items are behind `after`."""
        return sum(one.place > after for one in self._kept.values())

    async def known(self, kind: Expiring, ids: Collection[str]) -> frozenset[str]:
        """Those of some ids that an item of this type has."""
        return frozenset(one for one in ids if (kind, one) in self._kept)

    async def orders(self) -> Sequence[Placed]:
        """All orders to forget, in order."""
        return [one async for one in self.read() if one.item.type == "forget"]

    async def last(self) -> int:
        """The last place that was put."""
        return self._last

    async def remove(self, order: Forget, before: int) -> int:
        """Remove what is meant in front of a place."""
        kept = self._kept.values()
        meant = [p for p in kept if p.place < before and order.means(p.item)]
        went = (order.command or f"user:{order.user}") in self._gone
        first = 0 if went else min([before, *(p.place for p in meant)])
        self._reaches[before] = min(first, self._reaches.get(before, first))
        return self._drop(meant)

    async def reach(self, after: int, upto: int) -> int:
        """The first place that these orders concerned."""
        places = [one.place for one in await self.orders() if after < one.place <= upto]
        return min([upto + 1, *(self._reaches.get(place, 0) for place in places)])

    async def first_since(self, at_ms: int) -> int:
        """The first place of an item that is not older."""
        young = [p for p in self._kept.values() if p.item.type != "forget"]
        return min([self._last + 1, *(p.place for p in young if p.item.at_ms >= at_ms)])

    async def expired(self) -> Expired:
        """What went by age so far."""
        return self._expired

    async def expire(self, kind: Expiring, before_ms: int, upto: int) -> int:
        """Remove the items of this type that are older and not behind a place."""
        kept = [p for p in self._kept.values() if p.place <= upto and p.item.type == kind]
        old = [p for p in kept if p.item.at_ms < before_ms]
        for one in old:
            user, lines = named_by(one.item)
            self._gone |= {*lines, *({f"user:{user}"} if user else ())}
        if old:
            was = self._expired
            self._expired = Expired(max(was.place, upto), was.items + len(old))
        return self._drop(old)

    def _drop(self, gone: Sequence[Placed]) -> int:
        for one in gone:
            del self._kept[(one.item.type, one.item.id)]
        return len(gone)
