"""Every execution of the record is remembered once, whatever happens in between."""

from __future__ import annotations

from services.learning.remembering import CURSOR, RunRememberer
from shared.contracts.collective import MemoryQuery
from shared.memory.clock import ManualClock
from shared.memory.cursors import MemoryCursors
from shared.memory.memories import MemoryMemories
from shared.memory.record import MemoryRecordStore
from shared.ports.record import Placed
from tests.unit.analytics.items import DAY_MS, NOON_MS, command, run


class Bench:
    """A rememberer on ports in memory."""

    def __init__(self) -> None:
        self.record, self.memories = MemoryRecordStore(), MemoryMemories()
        self.cursors = MemoryCursors()
        clock = ManualClock(NOON_MS)
        self.rememberer = RunRememberer(
            self.record, self.memories, self.cursors, clock, keep_days=90
        )

    async def known(self) -> list[str]:
        query = MemoryQuery(category="execution", limit=50)
        found = await self.memories.recall(query, NOON_MS)
        return sorted(one.memory.id for one in found)


async def test_each_run_is_remembered_once() -> None:
    """Commands are passed by; what is new is remembered in the next round."""
    bench = Bench()
    await bench.record.put([Placed(3, run("ex_1")), Placed(5, command(NOON_MS))])
    await bench.rememberer.round()
    assert await bench.known() == ["run.ex_1"]
    assert await bench.cursors.get(CURSOR) == 5
    await bench.record.put([Placed(9, run("ex_2"))])
    await bench.rememberer.round()
    assert await bench.known() == ["run.ex_1", "run.ex_2"]


async def test_what_somebody_removed_does_not_come_back() -> None:
    """How far it is is kept, not only what is there."""
    bench = Bench()
    await bench.record.put([Placed(1, run("ex_1"))])
    await bench.rememberer.round()
    await bench.memories.forget("run.ex_1")
    await bench.rememberer.round()
    assert await bench.known() == []


async def test_a_crash_before_the_note_remembers_nothing_twice() -> None:
    """The same id is there already."""
    bench = Bench()
    await bench.record.put([Placed(1, run("ex_1")), Placed(2, run("ex_2"))])
    await bench.rememberer.round()
    again = RunRememberer(bench.record, bench.memories, MemoryCursors(), ManualClock(NOON_MS), 90)
    await again.round()
    assert await bench.known() == ["run.ex_1", "run.ex_2"]


async def test_old_runs_are_passed_by() -> None:
    """What would have expired is not remembered."""
    bench = Bench()
    old = run("ex_old", started_at_ms=NOON_MS - 91 * DAY_MS)
    await bench.record.put([Placed(1, old), Placed(2, run("ex_new"))])
    await bench.rememberer.round()
    assert await bench.known() == ["run.ex_new"]
