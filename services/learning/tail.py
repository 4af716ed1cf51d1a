"""The record with its newest items in hand: every model reads them, and each is decoded once.

The law: what is put here is the whole record from the place where the first of it was put, since
one process writes the record at a time, and begins anew with each turn. What is removed is let go
with all in front of it, and read from the store again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from shared.learning.records import Forget
from shared.ports.record import Expired, Expiring, Placed, RecordStore

IN_HAND: Final = 1_000
"""Items; models that are further behind read from the store."""


class RecordTail:
    """A record store that gives what was put lately from memory."""

    def __init__(self, store: RecordStore, most: int = IN_HAND) -> None:
        self._store = store
        self._most = most
        self._newest: list[Placed] = []
        self._from = self._upto = 0
        """In hand is all that is behind the one and not behind the other."""

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        """Keep items; those that are new are in hand, too."""
        before = await self._store.last()
        new = await self._store.put(items)
        upto = max([before, *(one.place for one in items)])
        if before != self._upto or len(new) < len(items):
            self._let_go(upto)  # something is kept that is not in hand
            return new
        self._newest += new
        self._upto = upto
        if len(self._newest) > self._most:
            self._from = self._newest[-self._most - 1].place
            del self._newest[: -self._most]
        return new

    async def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order."""
        if upto is not None and self._from <= after and upto <= self._upto:
            begin = bisect_right(self._newest, after, key=_place)
            for one in self._newest[begin : bisect_right(self._newest, upto, key=_place)]:
                yield one
            return
        async for one in self._store.read(after, upto):
            yield one

    async def of_user(self, user: str) -> AsyncIterator[Placed]:
        """Every command and feedback of one user, in order."""
        async for one in self._store.of_user(user):
            yield one

    async def remove(self, order: Forget, before: int) -> int:
        """Remove what an order means and is in front of a place."""
        self._let_go(self._upto)
        return await self._store.remove(order, before)

    async def reach(self, after: int, upto: int) -> int:
        """The first place that these orders concerned."""
        return await self._store.reach(after, upto)

    async def first_since(self, at_ms: int) -> int:
        """The first place of an item that is not older."""
        return await self._store.first_since(at_ms)

    async def expired(self) -> Expired:
        """What went by age so far."""
        return await self._store.expired()

    async def expire(self, kind: Expiring, before_ms: int, upto: int) -> int:
        """Remove the items of this type that are older and not behind a place."""
        expired = await self._store.expire(kind, before_ms, upto)
        if expired:
            self._let_go(self._upto)
        return expired

    async def count(self, after: int = 0) -> int:
        """How many items are behind `after`."""
        return await self._store.count(after)

    async def known(self, kind: Expiring, ids: Collection[str]) -> frozenset[str]:
        """Those of some ids that an item of this type has."""
        return await self._store.known(kind, ids)

    async def orders(self) -> Sequence[Placed]:
        """All orders to forget, in order."""
        return await self._store.orders()

    async def last(self) -> int:
        """The last place that was ever put."""
        return await self._store.last()

    def _let_go(self, upto: int) -> None:
        self._newest = []
        self._from = self._upto = upto


def _place(placed: Placed) -> int:
    return placed.place
