"""Time saved lately, as it is told to whoever watches."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from services.learning.table_writer import Standing
from services.learning.time_saved import TimeSavedTeller, saved_lately
from shared.analytics.fold import Analytics
from shared.analytics.saving import HANDLING_MS
from shared.memory.clock import ManualClock
from shared.runtime.writing_meter import WritingMeter
from tests.unit.analytics.items import DAY_MS, NOON_MS, folded, run
from tests.unit.analytics.test_table_writer import Inline
from tests.unit.runtime.test_metrics import value


def runs_of(*days: int, cause: str = "schedule") -> Analytics:
    """A completed run of one command, so many days ago each."""
    began = {day: NOON_MS - day * DAY_MS for day in days}
    return folded(
        [run(f"ex_{day}", started_at_ms=at_ms, cause=cause) for day, at_ms in began.items()]
    )


def test_what_is_of_the_last_30_days_counts() -> None:
    """A run of 29 days ago counts, one of 30 or 60 does not; to ask changes no table."""
    fold = runs_of(0, 29, 30, 60)
    before = fold.save()
    found = saved_lately(fold, NOON_MS)
    assert (found.least_ms, found.most_ms) == (2 * HANDLING_MS, 2 * (HANDLING_MS + 1_000))
    assert fold.save() == before


async def test_it_is_told_but_not_while_the_model_is_rebuilt() -> None:
    """In seconds, as two bounds; what was told stays while there is no model to ask."""
    registry = CollectorRegistry()
    meter = WritingMeter(registry)
    standing: list[Standing | None] = [Standing(runs_of(1), 1)]
    clock = ManualClock(NOON_MS)
    teller = TimeSavedTeller(lambda: standing[0], Inline(), clock, meter.saved)
    for now in (standing[0], None):
        standing[0] = now
        await teller.round()
        assert value(registry, "hive_time_saved_seconds", bound="least") == HANDLING_MS / 1_000
        assert value(registry, "hive_time_saved_seconds", bound="most") == HANDLING_MS / 1_000 + 1
