"""Leases as keys of a bucket with a time to live.

Taking a free lease and renewing an own one are writes that expect a certain last sequence of the
key, so that of two that try, one wins.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from shared.adapters.nats.buckets import read_all
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects

log = structlog.get_logger()

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class NatsLeases:
    """Leases in the bucket `leases`; the time to live is the bucket's."""

    def __init__(self, bus: Bus, bucket: str = subjects.LEASES_BUCKET) -> None:
        self._bus = bus
        self._bucket = bucket
        self._held: dict[str, int] = {}

    async def acquire(self, name: str, owner: str) -> bool:
        """Take a free lease; false when another holds it."""
        return await self._write(name, owner, 0)

    async def renew(self, name: str, owner: str) -> bool:
        """Hold it on; false when it was lost."""
        seq = self._held.get(name)
        return seq is not None and await self._write(name, owner, seq)

    async def release(self, name: str) -> None:
        """Give it up at once, if it is held."""
        seq = self._held.pop(name, None)
        if seq is None:
            return
        try:
            await self._bus.jetstream.delete_msg(f"KV_{self._bucket}", seq)
        except (APIError, NatsError, TimeoutError) as error:
            log.info("lease not released, it will expire", lease=name, error=str(error))

    async def holders(self) -> Mapping[str, str]:
        """Who holds each lease now."""
        entries = await read_all(self._bus, self._bucket)
        return {entry.key: entry.value.decode() for entry in entries}

    async def _write(self, name: str, owner: str, expected: int) -> bool:
        try:
            stored = await self._bus.jetstream.publish(
                f"$KV.{self._bucket}.{name}",
                owner.encode(),
                headers={_EXPECTED: str(expected)},
                timeout=2,
            )
        except APIError as error:
            log.debug("lease not written", lease=name, reason=error.description)
            self._held.pop(name, None)
            return False
        self._held[name] = stored.seq
        return True
