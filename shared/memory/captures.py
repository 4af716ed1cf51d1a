"""Captures in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from shared.contracts.captures import Manifest
from shared.ports.captures import (
    BlobNotFoundError,
    CapturesFullError,
    CaptureUsage,
    Swept,
    is_intact,
    is_past,
)

Key = tuple[str, str, str]

LIMIT_BYTES: Final = 1024 * 1024 * 1024


class MemoryCaptures:
    """Keeps captures for as long as the process lives."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._manifests: dict[Key, Manifest] = {}
        self._blobs: dict[str, bytes] = {}

    async def create(self, manifest: Manifest) -> Manifest:
        """State what was there before a step; gives the manifest that counts."""
        key = (manifest.execution_id, manifest.step, manifest.agent)
        return self._manifests.setdefault(key, manifest)

    async def get(self, execution_id: str, step: str, agent: str) -> Manifest | None:
        """What was kept on one agent."""
        return self._manifests.get((execution_id, step, agent))

    async def of_step(self, execution_id: str, step: str) -> Sequence[Manifest]:
        """What was kept on every agent that attempted a step."""
        found = [m for m in await self.of_execution(execution_id) if m.step == step]
        return sorted(found, key=lambda m: (m.attempt, m.at_ms))

    async def of_execution(self, execution_id: str) -> Sequence[Manifest]:
        """All that was kept for an execution."""
        return [m for key, m in self._manifests.items() if key[0] == execution_id]

    async def settled(self, execution_id: str, mark: str) -> Sequence[Manifest]:  # noqa: ARG002
        """The same: here nothing that is read is behind."""
        return await self.of_execution(execution_id)

    async def put_blob(self, name: str, data: bytes) -> None:
        """Keep a content."""
        if name in self._blobs:
            return
        if self._blob_bytes() + len(data) > self._limit:
            raise CapturesFullError(f"captures: more than {self._limit} bytes")
        self._blobs[name] = data

    async def get_blob(self, name: str) -> bytes:
        """A content."""
        data = self._blobs.get(name, b"")
        if not is_intact(name, data):
            raise BlobNotFoundError(f"captures: the content {name} is not kept, or not whole")
        return data

    async def executions(self) -> Collection[str]:
        """Ids of the executions for which something is kept."""
        return {key[0] for key in self._manifests}

    async def forget(self, execution_id: str) -> int:
        """Remove every manifest of an execution."""
        gone = [key for key in self._manifests if key[0] == execution_id]
        for key in gone:
            del self._manifests[key]
        return len(gone)

    async def sweep(self, now_ms: int) -> Swept:
        """Remove the blobs that no manifest names and nobody can name any more."""
        named = {name for m in self._manifests.values() for name in m.blobs}
        gone = [name for name in self._blobs if is_past(name, now_ms) and name not in named]
        return Swept(len(gone), sum(len(self._blobs.pop(name)) for name in gone))

    async def usage(self) -> CaptureUsage:
        """How much is kept."""
        sizes = [len(m.model_dump_json()) for m in self._manifests.values()]
        return CaptureUsage(
            manifests=len(sizes),
            manifest_bytes=sum(sizes),
            manifest_limit_bytes=self._limit,
            blob_bytes=self._blob_bytes(),
            blob_limit_bytes=self._limit,
        )

    def _blob_bytes(self) -> int:
        return sum(map(len, self._blobs.values()))
