"""Leases as keys of a bucket with a time to live.

Taking a free lease and renewing an own one are writes that expect a certain last sequence of the
key, so that of two that try, one wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from shared.adapters.nats.buckets import read_all
from shared.adapters.nats.connection import Bus
from shared.contracts import subjects

log = structlog.get_logger()

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST_SEQUENCE: Final = 10071
_WRITE_UNDER_WAY: Final = 10164
"""A cluster is still agreeing on another write of the same key."""


class NatsLeases:
    """Leases in the bucket `leases`; the time to live is the bucket's."""

    def __init__(self, bus: Bus, bucket: str = subjects.LEASES_BUCKET) -> None:
        self._bus = bus
        self._bucket = bucket
        self._held: dict[str, int] = {}

    async def acquire(self, name: str, owner: str) -> bool:
        """Take a free or own lease; false when another holds it. Raises `OSError` when that
        cannot be known now, as the others do."""
        with _outages():
            return await self._write(name, owner, 0) or await self._retake(name, owner)

    async def renew(self, name: str, owner: str) -> bool:
        """Hold it on; false when it was lost."""
        seq = self._held.get(name)
        if seq is None:
            return False
        with _outages():
            return await self._write(name, owner, seq) or await self._retake(name, owner)

    async def release(self, name: str) -> None:
        """Give it up at once, if it is held."""
        seq = self._held.pop(name, None)
        if seq is None:
            return
        try:
            await self._bus.jetstream.delete_msg(f"KV_{self._bucket}", seq)
        except (APIError, NatsError, TimeoutError, OSError) as error:
            log.info("lease not released, it will expire", lease=name, error=str(error))

    async def holders(self) -> Mapping[str, str]:
        """Who holds each lease now."""
        with _outages():
            entries = await read_all(self._bus, self._bucket)
        return {entry.key: entry.value.decode() for entry in entries}

    async def _retake(self, name: str, owner: str) -> bool:
        """Write again on what is there, if it is the owner's: of a renewal whose answer was lost,
        or of its process before a restart. Read from the leader: a replica may lag behind."""
        try:
            message = await self._bus.jetstream.get_last_msg(
                f"KV_{self._bucket}", f"$KV.{self._bucket}.{name}"
            )
        except NotFoundError:
            return False
        mine = message.data == owner.encode() and message.seq is not None
        return mine and await self._write(name, owner, message.seq or 0)

    async def _write(self, name: str, owner: str, expected: int) -> bool:
        try:
            stored = await self._bus.jetstream.publish(
                f"$KV.{self._bucket}.{name}",
                owner.encode(),
                headers={_EXPECTED: str(expected)},
                timeout=2,
            )
        except APIError as error:
            if error.err_code == _WRITE_UNDER_WAY:
                raise TimeoutError(f"{name}: who holds it is being decided") from error
            if error.err_code != _WRONG_LAST_SEQUENCE:
                raise
            self._held.pop(name, None)
            return False
        self._held[name] = stored.seq
        return True


@contextmanager
def _outages() -> Iterator[None]:
    """A server without a leader, or none at all, is an outage to whoever holds leases."""
    try:
        yield
    except NatsError as error:
        raise OSError(f"leases not reached: {error}") from error
