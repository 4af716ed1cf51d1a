"""Loops that outlive the outages of the servers they work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.runtime.endings import end

log = structlog.get_logger()

PAUSE_S: Final = 1.0


class Loop:
    """Does something again and again; after an error, in a while."""

    def __init__(self, name: str, turn: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._turn = turn
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def close(self) -> None:
        """Stop, in the middle of a turn if need be."""
        await end([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception as error:
                log.warning(
                    "will be tried again",
                    loop=self._name,
                    error=str(error) or type(error).__name__,
                    kind=type(error).__name__,
                )
                await asyncio.sleep(PAUSE_S)
