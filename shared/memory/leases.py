"""Leases in memory."""

from __future__ import annotations

from collections.abc import Mapping

from shared.memory.bus import MemoryBus, Perishable
from shared.memory.faults import Action


class MemoryLeases:
    """Leases of the bus; one object for each process that holds some."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._held: dict[str, str] = {}

    async def acquire(self, name: str, owner: str) -> bool:
        """Take a free or own lease; false when another holds it."""
        return await self._write(name, owner, held_by={None, owner})

    async def renew(self, name: str, owner: str) -> bool:
        """Hold it on; false when it was lost."""
        return await self._write(name, owner, held_by={owner})

    async def release(self, name: str) -> None:
        """Give it up at once, if it is held."""
        owner = self._held.pop(name, None)
        if owner is not None and self._holder(name) == owner:
            await self._bus.faults.before(Action.LEASE, name)
            self._bus.leases.pop(name, None)

    async def holders(self) -> Mapping[str, str]:
        """Who holds each lease now."""
        held = ((name, self._holder(name)) for name in sorted(self._bus.leases))
        return {name: owner for name, owner in held if owner is not None}

    async def _write(self, name: str, owner: str, *, held_by: set[str | None]) -> bool:
        await self._bus.faults.before(Action.LEASE, name)
        if self._holder(name) not in held_by:
            self._held.pop(name, None)
            return False
        until_ms = self._bus.clock.now_ms() + self._bus.lease_ttl_ms
        self._bus.leases[name] = Perishable(owner, until_ms)
        self._held[name] = owner
        await self._bus.faults.after(Action.LEASE, name)
        return True

    def _holder(self, name: str) -> str | None:
        lease = self._bus.leases.get(name)
        if lease is None or lease.until_ms <= self._bus.clock.now_ms():
            return None
        return lease.value
