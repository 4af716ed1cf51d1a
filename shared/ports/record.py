"""The record on its way and at rest: what is learned from, in one order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from shared.learning.records import AnyRecord


@dataclass(frozen=True, slots=True)
class Placed:
    """An item and its place in the order. Places rise; they may leave gaps."""

    place: int
    item: AnyRecord


class RecordSink(Protocol):
    """Where items enter."""

    async def add(self, items: Sequence[AnyRecord]) -> None:
        """Add them in this order, durably; one whose id came lately is dropped. Raises
        `BusUnavailableError`; then some may be in, and adding them again is right."""
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


class RecordStore(Protocol):
    """The record at rest, for as long as it is kept: what models are rebuilt from."""

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        """Keep items; gives those that are new, in order. An item that is there already (by type
        and id) keeps its first place."""
        ...

    def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order."""
        ...

    async def last(self) -> int:
        """The last place that was ever put, whatever was removed since; 0 when nothing was."""
        ...

    async def remove(self, user: str, command: str, before: int) -> int:
        """Remove commands and feedback before place `before` that are `user`'s (empty: anyone's)
        and, where `command` is not empty, have that line (for feedback: were suggested it); gives
        how many."""
        ...

    async def expire(self, kind: Literal["command", "run", "feedback"], before_ms: int) -> int:
        """Remove the items of this type that are older; gives how many."""
        ...
