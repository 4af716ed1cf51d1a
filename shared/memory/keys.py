"""API keys in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.api.keys import ApiKey
from shared.ports.keys import KeyNameTakenError


class MemoryKeyStore:
    """Keeps keys for as long as the process lives."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._ids: dict[str, str] = {}

    async def add(self, key: ApiKey, secret_hash: str) -> None:
        """Store a key; raises `KeyNameTakenError`."""
        if any(k.name == key.name and not k.revoked_at_ms for k in self._keys.values()):
            raise KeyNameTakenError(key.name)
        self._keys[key.id] = key
        self._ids[secret_hash] = key.id

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """The key with this secret hash, revoked ones included."""
        key_id = self._ids.get(secret_hash)
        return None if key_id is None else self._keys[key_id]

    async def used(self, key_id: str, at_ms: int) -> None:
        """Remember when a key was last used."""
        key = self._keys.get(key_id)
        if key is not None:
            at_ms = max(at_ms, key.last_used_at_ms)
            self._keys[key_id] = key.model_copy(update={"last_used_at_ms": at_ms})

    async def revoke(self, key_id: str, at_ms: int) -> ApiKey | None:
        """Put a key out of force for ever; a revoked one keeps its first time."""
        key = self._keys.get(key_id)
        if key is not None and not key.revoked_at_ms:
            self._keys[key_id] = key.model_copy(update={"revoked_at_ms": at_ms})
        return self._keys.get(key_id)

    async def all(self) -> Sequence[ApiKey]:
        """Every key, newest first."""
        return sorted(self._keys.values(), key=lambda k: (k.created_at_ms, k.id), reverse=True)
