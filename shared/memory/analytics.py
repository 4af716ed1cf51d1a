"""Tables of analytics in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.analytics.periods import Kept
from shared.analytics.views import Name
from shared.ports.analytics import Counted, digest_of


class MemoryAnalyticsStore:
    """Keeps tables for as long as the process lives."""

    def __init__(self) -> None:
        self._tables: dict[Name, tuple[int, str]] = {}
        self._counted = Counted()

    async def write(self, tables: Mapping[Name, str], place: int) -> None:
        """Keep these, where nothing later is kept."""
        for name, text in tables.items():
            if self._tables.get(name, (0, ""))[0] <= place:
                self._tables[name] = (place, text)

    async def tell(self, counted: Counted) -> None:
        """Say how far it is counted."""
        if counted.place >= self._counted.place:
            self._counted = counted

    async def counted(self) -> Counted:
        """How far it is counted."""
        return self._counted

    async def read(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """Those of these that are there."""
        return {name: self._tables[name][1] for name in names if name in self._tables}

    async def digests(self) -> Mapping[Name, str]:
        """Every table that is there, and the digest of its text."""
        return {name: digest_of(text) for name, (_, text) in self._tables.items()}

    async def remove(self, names: Sequence[Name]) -> None:
        """Remove these."""
        for name in names:
            self._tables.pop(name, None)

    async def expire(self, kept: Kept) -> int:
        """Remove tables of periods that began before they are kept."""
        old = [name for name in self._tables if kept.is_over(name.period)]
        await self.remove(old)
        return len(old)
