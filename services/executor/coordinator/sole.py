"""One of several does a thing: who holds a lease, for as long as it is renewed."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from shared.ports.leases import Leases

log = structlog.get_logger()

HOLD_S: Final = 1.5
"""How often the lease is renewed, or asked for."""


class Sole:
    """Asks for a lease, and holds it on."""

    def __init__(self, leases: Leases, name: str, owner: str) -> None:
        self._leases = leases
        self._name = name
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self.held = False

    async def start(self) -> None:
        """Begin; it has been asked for once when this returns."""
        await self.ask()
        self._task = asyncio.create_task(self._hold(), name=self._name)

    async def close(self) -> None:
        """Give it up at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.held:
            self.held = False
            await self._leases.release(self._name)

    async def ask(self) -> None:
        """Renew it, or ask for it. What cannot be known now may be another one's."""
        try:
            renewed = self.held and await self._leases.renew(self._name, self._owner)
            self.held = renewed or await self._leases.acquire(self._name, self._owner)
        except Exception as error:
            self.held = False
            log.info(
                "lease not reached", lease=self._name, error=str(error) or type(error).__name__
            )

    async def _hold(self) -> None:
        while True:
            await asyncio.sleep(HOLD_S)
            await self.ask()
