"""Tables of analytics are written where gateways read them.

The law:

1. Every second, the tables that changed are written, whole, with the place up to which they count.
   To write them again, or too early, does no harm.
2. A model that is another object than the one that was written last (after a start, a rebuild, an
   outage) is compared with what is there: what differs is written, what it lacks is removed.
   While it is being rebuilt nothing is written, so that nobody sees half of it.
3. What is older than the record is kept by nobody but these tables: of periods that began before
   that, what is there stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import structlog

from services.learning.rounds import rounds
from shared.analytics.fold import Analytics, Changes
from shared.analytics.periods import DAY_MS
from shared.analytics.views import Name
from shared.ports.analytics import AnalyticsStore, Counted, digest_of
from shared.ports.clock import Clock
from shared.runtime.writing_meter import OneWriter, unseen

log = structlog.get_logger()

T = TypeVar("T")

EVERY_S: Final = 1.0
AFTER_ERROR_S: Final = 5.0
LEAST_DAYS: Final = 62
"""However short the record is kept, the tables of the last two months are always its own."""


class Thread(Protocol):
    """Where what is long is computed, one after the other with folding."""

    async def run(self, work: Callable[[], T]) -> T:
        """Give what it gives."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """The model as it is now, and the place up to which it counts."""

    fold: Analytics
    place: int


class TableWriter:
    """Writes tables. `standing` gives None while the model is being rebuilt; `record_days` is for
    how long the record of runs is kept."""

    def __init__(
        self,
        standing: Callable[[], Standing | None],
        store: AnalyticsStore,
        thread: Thread,
        clock: Clock,
        record_days: int,
        *,
        every_s: float = EVERY_S,
        meter: OneWriter | None = None,
    ) -> None:
        self._meter = meter or unseen("tables")
        self._standing = standing
        self._store = store
        self._thread = thread
        self._clock = clock
        self._record_days = max(record_days, LEAST_DAYS)
        self._every_s = every_s
        self._written: Analytics | None = None
        """The model of which all tables are there."""

    async def run(self) -> None:
        """Write, for ever."""
        await rounds(
            self.round,
            self._every_s,
            waits="tables of analytics wait to be written",
            again_s=AFTER_ERROR_S,
            around=self._meter.round,
            failed=self._write_all,
        )

    def _write_all(self) -> None:
        """The next round writes everything: who knows what this one wrote."""
        self._written = None

    async def round(self) -> None:
        """Write what changed since the last round."""
        now = self._standing()
        if now is None:
            return
        if now.fold is self._written:
            changes = await self._thread.run(now.fold.take_changes)
            if changes.is_empty:
                self._meter.wrote(0)
                return
            self._written = None
            await self._store.write(changes.tables, now.place)
            rows = len(changes.tables)
        else:
            self._written = None
            changes = await self._thread.run(now.fold.take_everything)
            rows = await self._replace(changes, now.place)
        await self._store.tell(Counted(now.place, changes.newest_ms, changes.kept))
        await self._store.expire(changes.kept)
        self._written = now.fold
        self._meter.wrote(rows)

    async def _replace(self, changes: Changes, place: int) -> int:
        """Gives how many were written."""
        there = await self._store.digests()
        since_ms = self._since_ms()
        differing = await self._thread.run(lambda: _differing(changes.tables, there, since_ms))
        await self._store.write(differing, place)
        gone = [
            name
            for name in there
            if name not in changes.tables and name.period.start_ms >= since_ms
        ]
        await self._store.remove(gone)
        log.info("tables of analytics are written", written=len(differing), removed=len(gone))
        return len(differing)

    def _since_ms(self) -> int:
        return self._clock.now_ms() - self._record_days * DAY_MS


def _differing(
    tables: Mapping[Name, str], there: Mapping[Name, str], since_ms: int
) -> dict[Name, str]:
    return {
        name: text
        for name, text in tables.items()
        if name not in there
        or (name.period.start_ms >= since_ms and there[name] != digest_of(text))
    }
