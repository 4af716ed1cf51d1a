"""Idempotency keys in memory."""

from __future__ import annotations

from shared.ports.idempotency import Remembered


class MemoryIdempotencyStore:
    """Keeps requests for as long as the process lives."""

    def __init__(self) -> None:
        self._requests: dict[str, Remembered] = {}

    async def remember(self, key: str, request: Remembered) -> Remembered:
        """Store the first request under a key, and give what is stored under it."""
        return self._requests.setdefault(key, request)

    async def find(self, key: str) -> Remembered | None:
        """What is stored under a key."""
        return self._requests.get(key)
