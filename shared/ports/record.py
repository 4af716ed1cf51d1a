"""The record on its way and at rest: what is learned from, in one order.

The law of places: they rise for ever, also when the stream of the record is lost and made anew, and
an item that was removed never comes again at an earlier one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shared.learning.records import AnyRecord, Forget

Expiring = Literal["command", "run", "rollback", "feedback"]
"""What is kept for a time; orders to forget stay."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An item and its place in the order. Places rise; they may leave gaps."""

    place: int
    item: AnyRecord


@dataclass(frozen=True, slots=True)
class Expired:
    """What went by age: how many items, and the place behind which nothing has gone."""

    place: int = 0
    items: int = 0


class ItemRefusedError(Exception):
    """An item can never be in the record: it is too large for one message."""


class RecordSink(Protocol):
    """Where items enter."""

    async def add(self, items: Sequence[AnyRecord]) -> None:
        """Add them in this order, durably; one whose id came lately is dropped. Raises
        `TimeoutError` or `OSError` when the bus is away: then some may be in, and adding them
        again is right. Raises `ItemRefusedError`: then the others are in."""
        ...


class RecordFeed(Protocol):
    """The record as it grows."""

    async def start(self, after: int) -> None:
        """Give what follows place `after`; 0 gives all that is still there."""
        ...

    async def take(self, limit: int, wait_s: float) -> Sequence[Placed]:
        """Wait for the next items, at most so long; give at most `limit`, which may be none."""
        ...

    async def close(self) -> None:
        """Give nothing more."""
        ...


class RecordKeeping(Protocol):
    """What only the one who keeps the record may do to it on its way."""

    async def lift(self, after: int) -> None:
        """See to it that whatever is added from now on has a place behind `after`, also where the
        bus lost its newest items. Called before the feed starts at `after`."""
        ...

    async def erase(self, order: Forget, before: int) -> int:
        """Remove what an order means of what is still on its way in front of the place `before`;
        gives how many. Called with every order, as is `RecordStore.remove`."""
        ...


class RecordStore(Protocol):
    """The record at rest, for as long as it is kept: what models are rebuilt from.

    One process writes it. After a `put` that failed, what is there is found by `read`.
    """

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        """Keep items; gives those that are new, in order. An item that is there already (by type
        and id) keeps its first place; one that is not behind `last` was here before, and is not
        taken again."""
        ...

    def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order. What cannot be read is left
        out and logged. What is being put meanwhile may have gaps: bound it by `last`."""
        ...

    def of_user(self, user: str) -> AsyncIterator[Placed]:
        """Every command and feedback of one user, in order. What cannot be read is left out."""
        ...

    async def count(self, after: int = 0) -> int:
        """How many items are behind `after`."""
        ...

    async def known(self, kind: Expiring, ids: Collection[str]) -> frozenset[str]:
        """Those of some ids that an item of this type has."""
        ...

    async def orders(self) -> Sequence[Placed]:
        """All orders to forget, in order."""
        ...

    async def last(self) -> int:
        """The last place that was ever put, whatever was removed since; 0 when nothing was."""
        ...

    async def remove(self, order: Forget, before: int) -> int:
        """Remove what an order means and is in front of the place `before`, which is the order's;
        gives how many. Where the first of it was is known afterwards (`reach`)."""
        ...

    async def reach(self, after: int, upto: int) -> int:
        """The first place that the orders behind `after` and not behind `upto` concerned: they
        meant nothing in front of it. Behind `upto` where they meant nothing at all; 0 where it is
        not known, or what they mean may have gone by age before."""
        ...

    async def first_since(self, at_ms: int) -> int:
        """The first place of an item that can expire and is not older; behind `last` where there
        is none."""
        ...

    async def expire(self, kind: Expiring, before_ms: int, upto: int) -> int:
        """Remove the items of this type that are older and not behind a place; gives how many.
        Which users and lines went is known afterwards, as digests of lines."""
        ...

    async def expired(self) -> Expired:
        """What went by age so far."""
        ...
