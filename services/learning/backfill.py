"""Executions that ended before the service listened, or that it missed, added to the record.

All that have ended are looked at, live and archived, in the order of their creation; what the
record knows is passed by. So it may be done again at any time, and goes on where it was cut off.
What would be too old to be kept is left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.learning.deriving import DEFECTS, Deriver
from services.learning.reading import EndedRuns
from shared.learning.records import AnyRecord
from shared.learning.runs import ROLLBACK_ENDS
from shared.ports.ended import Ended, EndedExecutions
from shared.ports.record import RecordStore
from shared.runtime.learning_meter import LearningMeter

log = structlog.get_logger()

PAGE: Final = 100


@dataclass(slots=True)
class Progress:
    """How a backfill stands."""

    running: bool = False
    looked_at: int = 0
    of: int = 0
    runs: int = 0
    items: int = 0
    failed: int = 0
    error: str = ""


class Backfill:
    """Does it when asked, one at a time."""

    def __init__(
        self,
        ended: EndedExecutions,
        runs: EndedRuns,
        deriver: Deriver,
        store: RecordStore,
        meter: LearningMeter,
    ) -> None:
        self._ended = ended
        self._runs = runs
        self._deriver = deriver
        self._store = store
        self._meter = meter
        self._task: asyncio.Task[None] | None = None
        self.progress = Progress()

    def start(self, not_before_ms: int) -> bool:
        """Begin, unless it is under way; runs that ended before a time are left out."""
        if self._task is not None and not self._task.done():
            return False
        self.progress = Progress(running=True)
        self._task = asyncio.create_task(self._guarded(not_before_ms), name="backfill")
        return True

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What is under way, or was."""
        return self._task

    async def _guarded(self, not_before_ms: int) -> None:
        try:
            await self.run(not_before_ms)
        except Exception as error:
            self._meter.errors.count("internal")
            self.progress.error = f"{type(error).__name__}: {error}"[:300]
            log.exception("backfill ended early")
        finally:
            self.progress.running = False

    async def run(self, not_before_ms: int) -> None:
        """Look at all of them."""
        progress = self.progress
        progress.of = await self._ended.count()
        after: Ended | None = None
        while page := await self._ended.page(after, PAGE):
            after = page[-1]
            young = [one for one in page if one.ended_at_ms >= not_before_ms]
            known = await self._store.known("run", [one.id for one in young])
            for one in young:
                if one.id not in known or one.status in ROLLBACK_ENDS:
                    await self._add(one.id)
            progress.looked_at += len(page)
        progress.of = progress.looked_at
        log.info("backfill is done", runs=progress.runs, items=progress.items)

    async def _add(self, execution_id: str) -> None:
        state = await self._runs.state(execution_id)
        if state is None:
            return
        try:
            items = await self._deriver.items(state, None)
        except DEFECTS:  # the same again, however often
            self.progress.failed += 1
            log.exception("execution not told in short", execution=execution_id)
            return
        new = await self._new(items)
        await self._deriver.add(new)
        self.progress.items += len(new)
        runs = sum(one.type == "run" for one in new)
        self.progress.runs += runs
        self._meter.runs.inc(runs)

    async def _new(self, items: Sequence[AnyRecord]) -> Sequence[AnyRecord]:
        """Those that the record does not know. Where it knows the run it had the commands, too: one
        that is gone was forgotten, or is old."""
        runs = await self._store.known("run", [one.id for one in items if one.type == "run"])
        over = [one.id for one in items if one.type == "rollback"]
        rollbacks = await self._store.known("rollback", over)
        return [
            one
            for one in items
            if (one.type == "rollback" and one.id not in rollbacks)
            or (one.type != "rollback" and not runs)
        ]
