"""Cursors in memory."""

from __future__ import annotations


class MemoryCursors:
    """Keeps places for as long as the process lives."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    async def get(self, name: str) -> int:
        """The place up to which all is done."""
        return self._places.get(name, 0)

    async def move(self, name: str, place: int) -> None:
        """All is done up to this place."""
        self._places[name] = max(place, self._places.get(name, 0))
