"""What is too old goes: items of the record, and what is left over of snapshots.

A model keeps what it learned from an item that has gone, as far as it does not fade; one that is
rebuilt later has it no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from shared.ports.clock import Clock
from shared.ports.record import Expiring, RecordStore
from shared.ports.snapshots import SnapshotStore
from shared.runtime.learning_meter import LearningMeter

log = structlog.get_logger()

EVERY_S: Final = 3_600.0
DAY_MS: Final = 86_400_000
LEFT_OVER_MS: Final = 3_600_000
"""Pieces so old that belong to no snapshot are no one's."""


class Housekeeping:
    """Cleans up, every hour."""

    def __init__(
        self,
        store: RecordStore,
        snapshots: SnapshotStore,
        days: Mapping[Expiring, int],
        clock: Clock,
        meter: LearningMeter,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._days = days
        self._clock = clock
        self._meter = meter

    async def run(self) -> None:
        """Clean up, for ever."""
        while True:
            try:
                await self.clean_up()
            except Exception as error:
                self._meter.errors.count("internal")
                log.warning("clean-up failed", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(EVERY_S)

    def kept_since_ms(self, kind: Expiring) -> int:
        """Items of this type that are older go."""
        return max(0, self._clock.now_ms() - self._days[kind] * DAY_MS)

    async def clean_up(self) -> None:
        """Remove what is too old."""
        for kind in self._days:
            gone = await self._store.expire(kind, self.kept_since_ms(kind))
            self._meter.expired.inc(gone)
            if gone:
                log.info("old items of the record are gone", type=kind, items=gone)
        await self._snapshots.sweep(self._clock.now_ms() - LEFT_OVER_MS)
