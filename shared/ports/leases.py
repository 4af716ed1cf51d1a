"""Leases: who owns a partition, for as long as it says so often enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Leases(Protocol):
    """Named leases with a time to live, held by named owners."""

    async def acquire(self, name: str, owner: str) -> bool:
        """Take a free (or own) lease. False when another holds it."""
        ...

    async def renew(self, name: str, owner: str) -> bool:
        """Hold it for another time to live. False when it was lost."""
        ...

    async def release(self, name: str) -> None:
        """Give it up at once, if it is held."""
        ...

    async def holders(self) -> Mapping[str, str]:
        """Who holds each lease now."""
        ...
