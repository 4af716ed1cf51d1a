"""Idempotency keys: what a caller asked for under a key, and which execution it became."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Remembered:
    """One request under an idempotency key. `body_hash` is SHA-256 of its canonical JSON."""

    body_hash: str
    execution_id: str
    template_version: str
    created_at_ms: int


class IdempotencyStore(Protocol):
    """Remembers requests for a time that the store is made with."""

    async def remember(self, key: str, request: Remembered) -> Remembered:
        """Store the first request under a key, atomically, and give what is stored under it: this
        one, or the one that came before. `key` is already particular to the caller."""
        ...

    async def find(self, key: str) -> Remembered | None:
        """What is stored under a key, or `None`."""
        ...
