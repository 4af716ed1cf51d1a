"""The quarantine of a store in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.quarantine import QuarantineEntry, Resolution
from shared.memory.execution_store import MemoryExecutionStore
from shared.ports.quarantine import QuarantineQuery


class MemoryQuarantine:
    """Looks at what a store has put aside."""

    def __init__(self, store: MemoryExecutionStore) -> None:
        self._store = store

    async def find(self, query: QuarantineQuery) -> Sequence[QuarantineEntry]:
        """Those that fit, newest first."""
        fitting = [entry for entry in self._all() if _fits(entry, query)]
        fitting.sort(key=_position, reverse=True)
        return fitting[: query.limit]

    async def get(self, entry_id: str) -> QuarantineEntry | None:
        """One of them."""
        return next((entry for entry in self._all() if entry.id == entry_id), None)

    async def resolve(self, entry_id: str, resolution: Resolution) -> bool:
        """Of two people one does it."""
        entry = await self.get(entry_id)
        if entry is None or entry.resolution is not None:
            return False
        self._store.resolutions[entry.execution_id, entry.seq] = resolution
        return True

    async def forget(self, before_ms: int, limit: int) -> int:
        """Delete what was resolved before a time."""
        old = [
            (entry.execution_id, entry.seq)
            for entry in self._all()
            if entry.resolution is not None and entry.resolution.at_ms < before_ms
        ][:limit]
        for key in old:
            self._store.drop_quarantined(*key)
        return len(old)

    def _all(self) -> list[QuarantineEntry]:
        return [
            QuarantineEntry(
                id=f"{one.execution_id}:{one.seq}",
                resolution=self._store.resolutions.get((one.execution_id, one.seq)),
                **one.model_dump(),
            )
            for one in self._store.quarantined
        ]


def _position(entry: QuarantineEntry) -> tuple[int, str]:
    return entry.at_ms, entry.id


def _fits(entry: QuarantineEntry, query: QuarantineQuery) -> bool:
    return (
        (entry.resolution is not None) == query.resolved
        and query.execution_id in (None, entry.execution_id)
        and (query.before is None or _position(entry) < query.before)
    )
