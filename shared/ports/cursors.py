"""How far somebody has worked through the record."""

from __future__ import annotations

from typing import Protocol


class Cursors(Protocol):
    """Places by name."""

    async def get(self, name: str) -> int:
        """The place up to which all is done; 0 at first."""
        ...

    async def move(self, name: str, place: int) -> None:
        """All is done up to this place. Never goes back."""
        ...
