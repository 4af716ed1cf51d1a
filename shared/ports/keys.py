"""Where API keys are kept: by the SHA-256 of their secret, never the secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.api.keys import ApiKey


class KeyNameTakenError(Exception):
    """Another key in force has this name."""


class KeyStore(Protocol):
    """API keys."""

    async def add(self, key: ApiKey, secret_hash: str) -> None:
        """Store a key; raises `KeyNameTakenError` when one in force has its name."""
        ...

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """The key with this secret hash (64 hexadecimal digits), revoked ones included."""
        ...

    async def used(self, key_id: str, at_ms: int) -> None:
        """Remember when a key was last used."""
        ...

    async def revoke(self, key_id: str, at_ms: int) -> ApiKey | None:
        """Put a key out of force for ever; `None` when there is none. Idempotent."""
        ...

    async def all(self) -> Sequence[ApiKey]:
        """Every key, newest first."""
        ...
