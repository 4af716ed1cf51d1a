"""Where tables of analytics are kept for whoever reads them.

The law: a table is replaced only by one of the same or a later place of the record, so what comes
again, or from a writer that fell behind, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from shared.analytics.periods import Kept
from shared.analytics.views import Name


@dataclass(frozen=True, slots=True)
class Counted:
    """How far it is counted: up to which `place` of the record, when the newest of what is counted
    was, and since when tables are kept."""

    place: int = 0
    newest_ms: int = 0
    kept: Kept = field(default_factory=Kept)


def digest_of(text: str) -> str:
    """What tells one text of a table from another."""
    return blake2b(text.encode(), digest_size=12).hexdigest()


class AnalyticsStore(Protocol):
    """Tables as text, by name."""

    async def write(self, tables: Mapping[Name, str], place: int) -> None:
        """Keep these, as they are at a place."""
        ...

    async def tell(self, counted: Counted) -> None:
        """Say how far it is counted, once the tables are written. Never goes back."""
        ...

    async def counted(self) -> Counted:
        """How far it is counted; place 0 where nothing was yet."""
        ...

    async def read(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """Those of these that are there."""
        ...

    async def digests(self) -> Mapping[Name, str]:
        """Every table that is there, and the digest of its text (`digest_of`)."""
        ...

    async def remove(self, names: Sequence[Name]) -> None:
        """Remove these."""
        ...

    async def expire(self, kept: Kept) -> int:
        """Remove tables of periods that began before they are kept; gives how many."""
        ...
