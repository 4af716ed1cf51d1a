"""Receivers in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.receivers import Receiver


class MemoryReceiverStore:
    """Keeps receivers for as long as the process lives."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Receiver, tuple[str, ...]]] = {}

    async def add(self, receiver: Receiver, sealed_secret: str) -> None:
        """Store a new one."""
        self._kept[receiver.id] = (receiver, (sealed_secret,))

    async def get(self, receiver_id: str) -> Receiver | None:
        """One receiver."""
        return self._kept[receiver_id][0] if receiver_id in self._kept else None

    async def all(self) -> Sequence[Receiver]:
        """Every receiver, newest first."""
        found = [receiver for receiver, _ in self._kept.values()]
        return sorted(found, key=lambda one: (one.created_at_ms, one.id), reverse=True)

    async def remove(self, receiver_id: str) -> bool:
        """Forget it."""
        return self._kept.pop(receiver_id, None) is not None

    async def rotate(
        self, receiver_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Receiver | None:
        """Give it a new secret."""
        if receiver_id not in self._kept:
            return None
        receiver, secrets = self._kept[receiver_id]
        times = {"rotated_at_ms": at_ms, "old_secret_until_ms": old_until_ms}
        rotated = receiver.model_copy(update=times)
        self._kept[receiver_id] = (rotated, (sealed_secret, secrets[0]))
        return rotated

    async def sealed_secrets(self, receiver_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, then the one before while that holds."""
        if receiver_id not in self._kept:
            return ()
        receiver, secrets = self._kept[receiver_id]
        return secrets if now_ms < receiver.old_secret_until_ms else secrets[:1]
