"""Housekeeping over a store in memory: what is due moves, by each template's rules, by one of
several, and what is cut off is finished by the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry

from services.executor.coordinator.capture_keeping import CaptureKeeper
from services.executor.coordinator.housekeeping import DAY_MS, LEASE, Housekeeper, Rules
from services.executor.coordinator.sole import Sole
from shared.contracts.history import Quarantined, StoredState
from shared.contracts.quarantine import Resolution
from shared.memory.archive import MemoryArchive
from shared.memory.bus import MemoryBus
from shared.memory.captures import MemoryCaptures
from shared.memory.clock import ManualClock
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.leases import MemoryLeases
from shared.memory.quarantine import MemoryQuarantine
from shared.memory.templates import MemoryTemplateStore
from shared.ports.store import StateWrite
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import ErrorMeter, HousekeepingMeter
from shared.workflow.definition import Retention, Template
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.messages import Actor, PauseRequested
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

HOUR_MS = 3_600_000


RULES = Rules(keep_days=1, archive_days=10, settle_s=60, batch=2)


class House:
    """A store with a keeper whose time stands still until somebody moves it."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.store = MemoryExecutionStore()
        self.archive = MemoryArchive(self.store)
        self.quarantine = MemoryQuarantine(self.store)
        self.templates = MemoryTemplateStore()
        self.clock = ManualClock()
        self.registry = CollectorRegistry()
        self.mine = True
        meter = HousekeepingMeter(self.registry, ErrorMeter(self.registry))
        self.captures = MemoryCaptures()
        captures = CaptureKeeper(
            captures=self.captures,
            store=self.store,
            archive=self.archive,
            clock=self.clock,
            keep_days=3,
            meter=meter,
        )
        self.keeper = Housekeeper(
            archiving=self.archive,
            captures=captures,
            quarantine=self.quarantine,
            templates=self.templates,
            clock=self.clock,
            rules=replace(rules or RULES, every_s=0.01),
            meter=meter,
            mine=lambda: self.mine,
        )

    async def template(self, template_id: str, version: str = "1.0.0", **retention: Any) -> None:
        step = {"id": "a", "command": "noop"}
        policies = {"retention": retention} if retention else {}
        made = {"id": template_id, "name": "T", "version": version, "steps": [step]}
        model = Template.model_validate({**made, "policies": policies})
        await self.templates.put(StoredTemplate(model, version, 0))

    async def ended(self, execution_id: str, ago_ms: int, template_id: str = "t") -> None:
        at_ms = self.clock.now_ms() - ago_ms
        state = ExecutionState(
            execution_id=execution_id,
            template_id=template_id,
            template_version="1.0.0",
            category="custom",
            status=ExecutionStatus.COMPLETED,
            created_at_ms=at_ms - 1,
            ended_at_ms=at_ms,
        )
        entry = HistoryEntry(seq=1, at_ms=at_ms, message=PauseRequested(), events=())
        await self.store.write([StateWrite(StoredState(partition=0, seq=1, state=state), (entry,))])

    @property
    def live(self) -> list[str]:
        return list(self.store.execution_ids())

    @property
    def archived(self) -> list[str]:
        return sorted(self.store.archived)

    def sample(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


async def test_what_is_old_moves_and_is_deleted_in_time() -> None:
    """By age, in several batches, template by template; after the archive's own time it is gone;
    the metrics tell each."""
    house = House()
    for n in range(5):
        await house.ended(f"ex_{n}", DAY_MS + n + 1)
    await house.ended("ex_new", HOUR_MS)
    await house.ended("ex_u", 2 * DAY_MS, "u")
    await house.keeper.round()
    assert house.live == ["ex_new"]
    assert house.archived == ["ex_0", "ex_1", "ex_2", "ex_3", "ex_4", "ex_u"]
    assert house.sample("hive_archived_executions_total") == 6
    assert house.sample("hive_archive_executions") == 6
    assert house.sample("hive_housekeeping_round_timestamp_seconds") == (
        house.clock.now_ms() / 1000
    )
    house.clock.advance(9 * DAY_MS)
    await house.keeper.round()
    assert house.archived == ["ex_new"]
    assert house.sample("hive_archive_deleted_executions_total") == 6


async def test_each_template_has_its_own_rules() -> None:
    """The newest version of a template says how long all of its executions are kept; what it does
    not say is as the coordinator is set."""
    house = House()
    await house.template("short", keep_days=5)
    await house.template("short", "1.1.0", keep_days=0.01)
    await house.template("long", keep_days=100)
    await house.template("few", keep_last=1)
    await house.template("plain")
    for template_id in ("short", "long", "few", "plain", "unknown"):
        await house.ended(f"{template_id}_old", 2 * DAY_MS, template_id)
        await house.ended(f"{template_id}_1", HOUR_MS, template_id)
        await house.ended(f"{template_id}_2", HOUR_MS - 1, template_id)
    await house.keeper.round()
    assert house.archived == [
        "few_1",
        "few_old",
        "plain_old",
        "short_1",
        "short_2",
        "short_old",
        "unknown_old",
    ]


async def test_nothing_moves_right_after_its_end() -> None:
    """Whatever the rules are: late messages may still come."""
    house = House(Rules(keep_days=1e-9, keep_last=0, settle_s=60))
    await house.ended("ex_1", 59_000)
    await house.ended("ex_2", 61_000)
    await house.keeper.round()
    assert house.archived == ["ex_2"]


def test_rules_of_a_template() -> None:
    """Nothing is deleted before it may move to the archive."""
    rules = Rules(keep_days=30, keep_last=9, archive_days=365, settle_s=5)
    assert rules.of(None) == rules
    assert rules.of(Retention(keep_days=400)).archive_days == 400
    assert rules.of(Retention(archive_days=31)).archive_days == 31
    assert rules.of(Retention(keep_last=0)).keep_last == 0


async def test_what_was_cut_off_is_finished_first() -> None:
    """A copy without its removal, of a keeper that was killed, is finished by the next round."""
    house = House()
    await house.ended("ex_1", HOUR_MS)
    await house.archive.copy(["ex_1"], 1)
    await house.keeper.round()
    assert (house.live, house.archived) == ([], ["ex_1"])
    assert await house.archive.unfinished(9) == []


async def test_it_stops_in_the_middle_when_it_is_anothers_work() -> None:
    """After a lost lease no further batch is moved; what is left is there."""
    house = House()
    for n in range(6):
        await house.ended(f"ex_{n}", 2 * DAY_MS)
    copy = house.archive.copy

    class Losing(MemoryArchive):
        async def copy(self, execution_ids: Any, at_ms: int) -> Any:
            house.mine = False
            return await copy(execution_ids, at_ms)

    house.keeper._archiving = Losing(house.store)
    await house.keeper.start()
    await until(lambda: len(house.archived) == 2)
    await asyncio.sleep(0.05)
    assert len(house.live) == 4
    await until(lambda: house.sample("hive_housekeeping_round_timestamp_seconds") == 0)
    await house.keeper.close()


async def test_an_error_is_counted_and_it_goes_on_later() -> None:
    """A store that is away for a moment costs a round."""
    house = House()
    await house.ended("ex_1", 2 * DAY_MS)
    broken = [True]

    class Away(MemoryArchive):
        async def templates(self) -> Any:
            if broken:
                broken.pop()
                raise OSError("away")
            return await super().templates()

    house.keeper._archiving = Away(house.store)
    await house.keeper.start()
    await until(lambda: house.archived == ["ex_1"])
    await house.keeper.close()
    assert house.sample("hive_housekeeping_round_timestamp_seconds") is not None


async def test_resolved_quarantine_is_forgotten() -> None:
    """After a month; what waits stays."""
    house = House()
    for seq in (1, 2):
        message = Quarantined(
            execution_id="ex_1", partition=0, seq=seq, at_ms=1, reason="r", payload="{}"
        )
        await house.store.quarantine(message)
    now_ms = house.clock.now_ms()
    done = Resolution(outcome="discarded", by=Actor(), at_ms=now_ms)
    await house.quarantine.resolve("ex_1:1", done)
    await house.keeper.round()
    assert len(house.store.quarantined) == 2
    house.clock.advance(31 * DAY_MS)
    await house.keeper.round()
    assert [one.seq for one in house.store.quarantined] == [2]


async def test_one_of_several_holds_the_lease() -> None:
    """Two ask, one holds; when it gives up, or dies, the other does."""
    bus = MemoryBus()
    one, two = (Sole(MemoryLeases(bus), LEASE, owner) for owner in ("one", "two"))
    await one.start()
    await two.start()
    assert (one.held, two.held) == (True, False)
    await two.ask()
    assert not two.held
    await one.close()
    await two.ask()
    assert (one.held, two.held) == (False, True)
    bus.leases.pop(LEASE)
    await one.ask()
    await two.ask()
    assert (one.held, two.held) == (True, False)
    await two.close()
    await one.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the keeper's own task changes it
            await asyncio.sleep(0.01)
