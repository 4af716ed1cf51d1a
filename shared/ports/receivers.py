"""Where receivers are kept, each with its sealed secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.contracts.receivers import Receiver


class ReceiverStore(Protocol):
    """Receivers."""

    async def add(self, receiver: Receiver, sealed_secret: str) -> None:
        """Store a new one."""
        ...

    async def get(self, receiver_id: str) -> Receiver | None:
        """One receiver."""
        ...

    async def all(self) -> Sequence[Receiver]:
        """Every receiver, newest first."""
        ...

    async def remove(self, receiver_id: str) -> bool:
        """Forget it; false when it is not there."""
        ...

    async def rotate(
        self, receiver_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Receiver | None:
        """Give it a new secret; the one before holds until then."""
        ...

    async def sealed_secrets(self, receiver_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, then the one before while that holds; empty when there is no receiver."""
        ...
