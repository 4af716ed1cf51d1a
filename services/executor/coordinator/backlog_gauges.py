"""Samples of what is open, from the store: how many executions, how old, what was put aside,
how long rollbacks wait.

Every coordinator samples, so that none of them must be up; readers take the maximum.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from shared.ports.actors import RollbackStore
from shared.ports.backlog import Backlog
from shared.ports.clock import Clock
from shared.runtime.meters import BacklogMeter, ErrorMeter

log = structlog.get_logger()

EVERY_S: Final = 15.0


class BacklogGauges:
    """Reads the backlog every few seconds into its meter."""

    def __init__(
        self,
        backlog: Backlog,
        rollbacks: RollbackStore,
        clock: Clock,
        meter: BacklogMeter,
        errors: ErrorMeter,
    ) -> None:
        self._backlog = backlog
        self._rollbacks = rollbacks
        self._clock = clock
        self._meter = meter
        self._errors = errors
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="backlog")

    async def close(self) -> None:
        """Sample no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sample(self) -> None:
        """Read once; raises what the store raises."""
        now_ms = self._clock.now_ms()
        for status, found in (await self._backlog.open_executions()).items():
            created_ms = now_ms if found.oldest_created_ms is None else found.oldest_created_ms
            self._meter.open(status.value, found.count, max(0, now_ms - created_ms) / 1000)
        self._meter.quarantined.set(await self._backlog.quarantined())
        since_ms = await self._rollbacks.waiting_since()
        waited_ms = now_ms - since_ms if since_ms is not None else 0
        self._meter.rollback_waits.set(max(0, waited_ms) / 1000)

    async def _run(self) -> None:
        while True:
            try:
                await self.sample()
            except Exception as error:
                # An old number would look like a current one.
                self._meter.unknown()
                self._errors.count("mongo")
                log.info("backlog not known now", error=str(error) or type(error).__name__)
            await asyncio.sleep(EVERY_S)
