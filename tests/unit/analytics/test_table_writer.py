"""Tables are written as the model changes; after a start or a rebuild they are as it has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry

from services.learning.table_writer import Standing, TableWriter
from shared.analytics.fold import Analytics, Keep
from shared.memory.analytics import MemoryAnalyticsStore
from shared.memory.clock import ManualClock
from shared.runtime.writing_meter import WritingMeter
from tests.unit.analytics.items import DAY_MS, NOON_MS, folded, run, tables
from tests.unit.runtime.test_metrics import value

T = TypeVar("T")
ROWS = "hive_learning_written_rows_total"


class Inline:
    """Computes at once."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()


class Bench:
    """A writer, what it reads and where it writes."""

    def __init__(self, record_days: int = 730):
        self.now: Standing | None = Standing(Analytics(), 0)
        self.store = MemoryAnalyticsStore()
        clock = ManualClock(NOON_MS)
        self.registry = CollectorRegistry()
        meter = WritingMeter(self.registry).of("tables")
        self.writer = TableWriter(
            lambda: self.now, self.store, Inline(), clock, record_days, meter=meter
        )

    async def see(self, fold: Analytics | None, place: int) -> None:
        """A round with this model."""
        self.now = Standing(fold, place) if fold is not None else None
        await self.writer.round()

    async def written(self) -> dict[str, str]:
        found = await self.store.read(list(await self.store.digests()))
        return {name.text(): text for name, text in found.items()}


async def test_what_changes_is_written() -> None:
    """After each round the tables are those of the model, with the place and when it was."""
    bench, fold = Bench(), Analytics()
    await bench.see(fold, 0)
    for place in (1, 2, 3):
        fold.apply(run(f"ex_{place}", started_at_ms=NOON_MS - place * DAY_MS), place)
        await bench.see(fold, place)
        assert await bench.written() == tables(fold)
        assert (await bench.store.counted()).place == place
    assert (await bench.store.counted()).newest_ms == fold.newest_ms


async def test_rows_are_counted() -> None:
    """As many as were written: all that differ, then those that changed, then none."""
    bench, fold = Bench(), folded([run()])
    await bench.see(fold, 1)
    of_all = value(bench.registry, ROWS, writer="tables")
    assert of_all == len(tables(fold))
    await bench.see(fold, 1)
    assert value(bench.registry, ROWS, writer="tables") == of_all
    fold.apply(run("ex_2"), 2)
    await bench.see(fold, 2)
    assert of_all < value(bench.registry, ROWS, writer="tables") <= 2 * of_all


async def test_what_is_the_same_is_not_written_again() -> None:
    """A model that begins anew writes only what differs: places of other tables stay."""
    bench = Bench()
    await bench.see(folded([run()]), 1)
    before = dict(bench.store._tables)
    other = run("ex_2", template_id="other", category="other", started_at_ms=NOON_MS - 3 * DAY_MS)
    await bench.see(folded([run(), other]), 2)
    same = [name for name, kept in bench.store._tables.items() if kept == before.get(name)]
    assert any(name.scope == "t:disk_check" for name in same)
    assert await bench.written() == tables(folded([run(), other]))


async def test_a_rebuilt_model_leaves_nothing_of_the_old_one() -> None:
    """What it does not have is removed; while it is rebuilt, what was there stays."""
    bench = Bench()
    await bench.see(folded([run(), run("ex_2", template_id="gone")]), 2)
    before = await bench.written()
    await bench.see(None, 0)
    assert await bench.written() == before
    await bench.see(folded([run()]), 2)
    assert await bench.written() == tables(folded([run()]))


async def test_what_the_record_no_longer_has_stays() -> None:
    """Months that began before the record does are not recounted from a part of it."""
    bench = Bench(record_days=90)
    old = run("ex_1", started_at_ms=NOON_MS - 300 * DAY_MS)
    edge = run("ex_2", started_at_ms=NOON_MS - 91 * DAY_MS)
    new = run("ex_3", started_at_ms=NOON_MS - 3 * DAY_MS)
    await bench.see(folded([old, edge, new]), 3)
    before = await bench.written()
    await bench.see(folded([new]), 3)
    assert await bench.written() == before


async def test_old_tables_are_dropped_as_the_model_drops_them() -> None:
    """Hours go after their time, whoever wrote them."""
    bench, fold = Bench(), Analytics(Keep(2, 62, 93))
    await bench.see(fold, 0)
    for place, days in ((1, 200), (2, 80), (3, 5), (4, 0)):
        fold.apply(run(f"ex_{place}", started_at_ms=NOON_MS - days * DAY_MS), place)
        await bench.see(fold, place)
        assert await bench.written() == tables(fold)
