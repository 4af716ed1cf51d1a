"""All executions that have ended, wherever they are, in the order in which they were created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Ended:
    """One of them. `status` is the newest: it may have been rolled back since it ended."""

    created_at_ms: int
    id: str
    ended_at_ms: int
    status: str


class EndedExecutions(Protocol):
    """Pages of them, live and archived; one that moves meanwhile may be in two."""

    async def page(self, after: Ended | None, limit: int) -> Sequence[Ended]:
        """Those behind one, oldest first; empty at the end."""
        ...

    async def count(self) -> int:
        """About how many there are."""
        ...
