"""Snapshots of models in memory."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from shared.ports.snapshots import Snapshot, newest_first


class MemorySnapshots:
    """Keeps them for as long as the process lives."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Snapshot, bytes]] = {}

    async def put(self, snapshot: Snapshot, data: bytes) -> None:
        """Keep a snapshot."""
        self.kept.setdefault(snapshot.id, (snapshot, data))

    async def find(self, model: str = "") -> Sequence[Snapshot]:
        """Those of a model, or of all, the highest place first."""
        return newest_first([one for one, _ in self.kept.values() if model in {"", one.model}])

    async def data(self, snapshot: Snapshot) -> bytes | None:
        """The bytes; `None` when it is gone or damaged."""
        _, data = self.kept.get(snapshot.id, (snapshot, b""))
        return data if sha256(data).hexdigest() == snapshot.digest else None

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove these."""
        for one in ids:
            self.kept.pop(one, None)

    async def sweep(self, before_ms: int) -> int:  # noqa: ARG002 - a store's signature
        """Nothing is kept apart here."""
        return 0
