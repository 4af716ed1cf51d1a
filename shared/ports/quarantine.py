"""The quarantine, as people look at it: coordinators fill it (`shared.ports.store`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.quarantine import QuarantineEntry, Resolution


@dataclass(frozen=True, slots=True)
class QuarantineQuery:
    """Which messages: by default those that wait, of every execution. `before` is the time and id
    of the last one on the page before."""

    execution_id: str | None = None
    resolved: bool = False
    before: tuple[int, str] | None = None
    limit: int = 50


class Quarantine(Protocol):
    """Messages that were put aside. What is resolved stays to be looked at for a while."""

    async def find(self, query: QuarantineQuery) -> Sequence[QuarantineEntry]:
        """Those that fit, newest first, at most `query.limit`."""
        ...

    async def get(self, entry_id: str) -> QuarantineEntry | None:
        """One of them, waiting or resolved."""
        ...

    async def resolve(self, entry_id: str, resolution: Resolution) -> bool:
        """Say what was done with one that waits; false when it does not (any more)."""
        ...

    async def forget(self, before_ms: int, limit: int) -> int:
        """Delete what was resolved before a time, at most so many; gives how many."""
        ...
