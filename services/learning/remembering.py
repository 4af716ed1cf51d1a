"""Every execution that has ended leaves a memory that people and agents find by searching.

The law: the record is worked through once, in its order; how far is kept, so that a memory that
somebody removed does not come back. A crash between a memory and the note of how far means that it
is remembered again, which changes nothing: its id follows from the execution's.
"""

from __future__ import annotations

from typing import Final

from services.learning.rounds import rounds
from shared.analytics.periods import DAY_MS
from shared.collective.run_memories import memory_of
from shared.learning.records import RunRecord
from shared.ports.clock import Clock
from shared.ports.collective import Memories
from shared.ports.cursors import Cursors
from shared.ports.record import RecordStore
from shared.runtime.writing_meter import OneWriter, unseen

CURSOR: Final = "run-memories"
EVERY_S: Final = 1.0
AFTER_ERROR_S: Final = 5.0
NOTED_AFTER: Final = 100
"""Items after which it is noted how far it is."""


class RunRememberer:
    """Remembers runs for `keep_days`; older ones are passed by."""

    def __init__(
        self,
        record: RecordStore,
        memories: Memories,
        cursors: Cursors,
        clock: Clock,
        keep_days: int,
        *,
        every_s: float = EVERY_S,
        meter: OneWriter | None = None,
    ) -> None:
        self._meter = meter or unseen("memories")
        self._record = record
        self._memories = memories
        self._cursors = cursors
        self._clock = clock
        self._keep_ms = keep_days * DAY_MS
        self._every_s = every_s

    async def run(self) -> None:
        """Remember, for ever."""
        await rounds(
            self.round,
            self._every_s,
            waits="executions wait to be remembered",
            again_s=AFTER_ERROR_S,
            around=self._meter.round,
        )

    async def round(self) -> None:
        """Remember what is new in the record."""
        done = await self._cursors.get(CURSOR)
        last = await self._record.last()
        if last <= done:
            self._meter.wrote(0)
            return
        waiting = rows = 0
        async for placed in self._record.read(done, last):
            if isinstance(placed.item, RunRecord):
                rows += await self._remember(placed.item)
            waiting += 1
            if waiting == NOTED_AFTER:
                await self._cursors.move(CURSOR, placed.place)
                waiting = 0
        await self._cursors.move(CURSOR, last)
        self._meter.wrote(rows)

    async def _remember(self, run: RunRecord) -> int:
        """Gives how many memories were kept."""
        memory = memory_of(run, self._keep_ms)
        if memory.expires_at_ms is not None and memory.expires_at_ms <= self._clock.now_ms():
            return 0
        await self._memories.remember(memory)
        return 1
