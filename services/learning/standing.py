"""One of several learning services works; the others stand by until its lease is free.

A lease is not given up but left to expire: giving one up takes the right to delete any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.ports.leases import Leases
from shared.runtime.endings import end

log = structlog.get_logger()

LEASE: Final = "learning"
EVERY_S: Final = 2.0
"""How often the lease is renewed or tried."""
DOUBT_S: Final = 4.0
"""So long after the last renewal it may be another's: less than a lease lives."""


class Standing:
    """Works while it holds the lease."""

    def __init__(
        self,
        leases: Leases,
        owner: str,
        work: Callable[[], Awaitable[None]],
        *,
        every_s: float = EVERY_S,
        doubt_s: float = DOUBT_S,
    ) -> None:
        self._leases = leases
        self._owner = owner
        self._work = work
        self._every_s = every_s
        self._doubt_s = doubt_s
        self.active = False

    async def run(self) -> None:
        """Work whenever it is this one's turn. Raises what the work raises."""
        while True:
            if await self._may(self._leases.acquire):
                await self._hold()
            await asyncio.sleep(self._every_s)

    async def _hold(self) -> None:
        log.info("learning service is the active one", owner=self._owner)
        self.active = True
        task = asyncio.ensure_future(self._work())
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        try:
            while loop.time() - renewed < self._doubt_s:
                await asyncio.wait({task}, timeout=self._every_s)
                if task.done():
                    task.result()
                    raise RuntimeError("the work of the learning service ended by itself")
                held = await self._may(self._leases.renew)
                if held is False:
                    break
                renewed = loop.time() if held else renewed
            log.warning("learning service stands by: its lease is another's, or in doubt")
            self.active = False
        finally:
            await end((task,))

    async def _may(self, ask: Callable[[str, str], Awaitable[bool]]) -> bool | None:
        """Whether the lease is ours; `None` while that cannot be known."""
        try:
            return await ask(LEASE, self._owner)
        except (OSError, TimeoutError) as error:
            log.info("lease not known now", lease=LEASE, error=str(error) or type(error).__name__)
            return None
