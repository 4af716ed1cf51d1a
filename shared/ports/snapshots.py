"""Snapshots of learned models, as bytes, with the place of the record up to which each holds.

The law: a snapshot at place P is the model that follows from what the record keeps up to P. All
orders to forget at or before P are obeyed in it, so nothing is in it that they name; and where it
was made while the model was rebuilt, so are later ones, up to `forgotten`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a snapshot without its bytes."""

    id: str
    model: str
    version: int
    place: int
    forgotten: int
    """Orders to forget up to this place are obeyed in it; at least `place`."""
    items: int
    """How many items of the record the model has been given."""
    at_ms: int
    size: int
    """Bytes."""
    digest: str
    """SHA-256 of the bytes, in hexadecimal."""
    base: bool = False
    """Kept for long: what went by age is in it, and a rebuild begins with it."""
    missing: int = 0
    """Items that had gone by age before the model could learn from them."""


class SnapshotStore(Protocol):
    """Where snapshots are."""

    async def put(self, snapshot: Snapshot, data: bytes) -> None:
        """Keep a snapshot; it is there whole, or not at all. One of this id that is there stays."""
        ...

    async def find(self, model: str = "") -> Sequence[Snapshot]:
        """Those of a model, or of all, the one of the highest place first, of one place the
        newest."""
        ...

    async def data(self, snapshot: Snapshot) -> bytes | None:
        """The bytes; `None` when it is gone or damaged."""
        ...

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove these."""
        ...

    async def sweep(self, before_ms: int) -> int:
        """Remove bytes that belong to no snapshot and were put before this time; gives how many
        pieces."""
        ...


def newest_first(found: Sequence[Snapshot]) -> Sequence[Snapshot]:
    """In the order that `find` gives."""
    return sorted(found, key=lambda one: (one.place, one.at_ms, one.id), reverse=True)
