"""The store of captures, as one agent uses it: contents are sealed on their way to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from services.executor.captures.contents import ContentSealer
from services.executor.captures.found import Found
from shared.contracts.captures import INLINE_LIMIT, INLINE_TOTAL_LIMIT, Content, FileItem, Manifest
from shared.ports.captures import CaptureError, Captures, CapturesUnavailableError, blob_name
from shared.runtime.sealing import SealError

log = structlog.get_logger()

T = TypeVar("T")

AT_ONCE_BYTES: Final = 32 * 1024
"""What is no larger is sealed at once: a thread would take longer to begin."""
PATIENCE_S: Final = 60.0
"""How long an outage of the store may last before a step is given up for it: servers that are
restarted, or elect another leader, are back before."""


class ContentDamagedError(CaptureError):
    """What came back is not what was kept, or cannot be opened with this agent's key."""


@dataclass(slots=True)
class _Inline:
    """Room for contents in one manifest, in bytes."""

    left: int = field(default=INLINE_TOTAL_LIMIT)

    def takes(self, sealed: bytes) -> bool:
        if len(sealed) > min(INLINE_LIMIT, self.left):
            return False
        self.left -= len(sealed)
        return True


class Kept:
    """What was kept before steps."""

    def __init__(
        self, store: Captures, key: bytes, *, patience_s: float = PATIENCE_S, again_s: float = 1.0
    ) -> None:
        """`key` is the agents' sealing key. An outage is waited for up to `patience_s`."""
        self._store = store
        self._sealer = ContentSealer(key)
        self._patience_s = patience_s
        self._again_s = again_s

    async def find(self, execution_id: str, step: str, agent: str) -> Manifest | None:
        """What was kept on an agent before a step."""
        return await self._patiently(lambda: self._store.get(execution_id, step, agent))

    async def state(self, manifest: Manifest) -> Manifest:
        """Keep a manifest; gives the one that counts."""
        return await self._patiently(lambda: self._store.create(manifest))

    async def keep(self, found: list[Found], at_ms: int) -> list[FileItem]:
        """Keep the contents, durably, and say where each is."""
        inline = _Inline()
        return [await self._keep(one, inline, at_ms) for one in found]

    async def content(self, item: FileItem) -> bytes:
        """The content of a file, proven by its checksum. Raises `CaptureError`."""
        if item.bytes == 0:
            return b""
        where = item.content
        sealed = (
            base64.b64decode(where.inline)
            if where.inline
            else await self._patiently(lambda: self._store.get_blob(where.blob))
        )
        try:
            data = await asyncio.to_thread(self._sealer.open, sealed, item.bytes)
        except SealError as error:
            raise ContentDamagedError(f"'{item.path.text}': {error}") from None
        if hashlib.sha256(data).hexdigest() != item.sha256:
            raise ContentDamagedError(f"'{item.path.text}': the content has another checksum")
        return data

    async def _keep(self, found: Found, inline: _Inline, at_ms: int) -> FileItem:
        if not found.data:
            return found.item
        if len(found.data) <= AT_ONCE_BYTES:
            sealed = self._sealer.seal(found.data)
        else:
            sealed = await asyncio.to_thread(self._sealer.seal, found.data)
        if inline.takes(sealed):
            content = Content(inline=base64.b64encode(sealed).decode())
        else:
            name = blob_name(sealed, at_ms)
            content = Content(blob=name)
            await self._patiently(lambda: self._store.put_blob(name, sealed))
        return found.item.model_copy(update={"content": content})

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again while the store is away; all of it may be done twice."""
        clock = asyncio.get_running_loop().time
        until_s = clock() + self._patience_s
        while True:
            try:
                return await act()
            except CapturesUnavailableError as error:
                if clock() >= until_s:
                    raise
                log.info("captures not reached now", error=str(error))
            await asyncio.sleep(self._again_s)
