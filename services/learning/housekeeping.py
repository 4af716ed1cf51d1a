"""What is too old goes: items of the record, and what is left over of snapshots.

The law: an item goes by age once every model has a *base* (a snapshot that is kept) in which it is.
So a rebuild from the base and what is kept gives the model that learned all the time, to the byte.
The base that is used is the newest one in front of all that is young enough to be kept by every
type; older ones go. As long as one model has no such base, nothing goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from shared.ports.clock import Clock
from shared.ports.record import Expiring, RecordStore
from shared.ports.snapshots import Snapshot, SnapshotStore
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
        models: Mapping[str, int],
        clock: Clock,
        meter: LearningMeter,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._days = days
        self._models = models
        """Versions by name."""
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
        bases = await self._bases()
        upto = min((one.place for one in bases.values()), default=0)
        for kind in self._days if bases else ():
            gone = await self._store.expire(kind, self.kept_since_ms(kind), upto)
            self._meter.expired.inc(gone)
            if gone:
                log.info("old items of the record are gone", type=kind, items=gone)
        await self._snapshots.delete(
            [one for base in bases.values() for one in await self._older(base)]
        )
        await self._snapshots.sweep(self._clock.now_ms() - LEFT_OVER_MS)

    async def _bases(self) -> Mapping[str, Snapshot]:
        """The base of each model that covers what may go; none where one model has none."""
        young = await self._store.first_since(max(map(self.kept_since_ms, self._days)))
        chosen: dict[str, Snapshot] = {}
        for model, version in self._models.items():
            for one in await self._snapshots.find(model):
                if one.base and one.version == version and one.place < young:
                    chosen[model] = one
                    break
            else:
                return {}
        return chosen

    async def _older(self, base: Snapshot) -> list[str]:
        """Bases in front of one that is used."""
        found = await self._snapshots.find(base.model)
        return [one.id for one in found if one.base and one.place < base.place]
