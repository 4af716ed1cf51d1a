"""Schedules moved by several coordinators, killed in between: one execution for each moment."""

from __future__ import annotations

import random
from typing import Any

import pytest

from shared.automation.messages import Deleted, Paused, Saved
from shared.automation.schedule import run_id
from shared.automation.specs import ScheduleSpec
from tests.simulation.virtual_time import run_virtually
from tests.unit.executor.automation_world import START_MS, World, new_world


def saved(request_id: str, **spec: Any) -> Saved:
    spec.setdefault("timetable", {"every_s": 10})
    wanted = ScheduleSpec.model_validate({"name": "s", "template_id": "quick", **spec})
    return Saved(request_id=request_id, spec=wanted)


async def _started_moments(world: World, schedule_id: str) -> list[int]:
    states = await world.all_executions()
    mine = [s for s in states if s.trigger.source == schedule_id]
    return sorted((s.trigger.moment_ms or 0) - START_MS for s in mine)


def test_each_moment_starts_one_execution_whoever_dies() -> None:
    """Coordinators are killed at random moments, and others take over: every moment of three
    schedules that is over has one outcome, those that were started exactly one execution."""

    async def scenario(seed: int) -> None:
        rng = random.Random(seed)
        async with new_world() as world:
            await world.template("quick")
            for number in range(2):
                await world.coordinator(f"c{number}")
            ids = [f"sc_{number}" for number in range(3)]
            for one in ids:
                await world.say(one, saved("r1", missed="run_all", overlap="allow"))
            for number in range(2, 7):
                await world.pass_time(rng.uniform(3, 15))
                await world.kill(rng.choice(world.coordinators))
                await world.coordinator(f"c{number}")
            await world.pass_time(25)
            for one in ids:
                state = await world.schedule(one)
                anchor = state.anchor_ms - START_MS
                moments = await _started_moments(world, one)
                assert moments == [anchor + 10_000 * (n + 1) for n in range(len(moments))]
                assert len(moments) >= 6
                # The newest runs may have started after the state was last written.
                assert 0 <= len(moments) - state.counts["started"] <= 1
                executions = {f.execution_id for f in state.recent}
                assert executions == {run_id(one, 1, f.moment_ms) for f in state.recent}
                assert {f.ended for f in state.recent[:-1]} == {"completed"}

    for seed in range(6):
        run_virtually(scenario(seed))


def test_an_edited_a_paused_and_a_deleted_schedule_leave_nothing_behind() -> None:
    """Whatever timer was set before: from then on only the new edition starts anything."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("quick")
            await world.template("other")
            await world.coordinator("c1")
            await world.say("sc_1", saved("r1"))
            await world.say("sc_2", saved("r1"))
            await world.say("sc_3", saved("r1"))
            await world.pass_time(25)
            await world.say(
                "sc_1", saved("r2", template_id="other", timetable={"every_s": 20}, name="new")
            )
            await world.say("sc_2", Deleted(request_id="r2"))
            await world.say("sc_3", Paused(request_id="r2"))
            await world.pass_time(65)
            states = await world.all_executions()
            by = {
                one: [s.template_id for s in states if s.trigger.source == one]
                for one in ("sc_1", "sc_2", "sc_3")
            }
            assert sorted(by["sc_1"]) == ["other"] * 3 + ["quick"] * 2
            assert by["sc_2"] == by["sc_3"] == ["quick"] * 2
            assert world.bus.journal.timers == 1
            await world.say("sc_2", saved("r3"))
            await world.pass_time(15)
            assert (await world.schedule("sc_2")).status == "deleted"

    run_virtually(scenario())


def test_latest_is_the_newest_release_when_it_is_time_and_what_is_gone_is_said() -> None:
    """A pinned version stays, `latest` follows; a template that is gone is a reason to be read."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("quick")
            await world.coordinator("c1")
            await world.say("sc_1", saved("r1"))
            await world.say("sc_2", saved("r1", template_version="1.0.0"))
            await world.say("sc_3", saved("r1", template_id="gone"))
            await world.pass_time(15)
            await world.template("quick", "1.1.0")
            await world.pass_time(10)
            one, two, three = [await world.schedule(f"sc_{n}") for n in (1, 2, 3)]
            assert [f.template_version for f in one.recent] == ["1.0.0", "1.1.0"]
            assert [f.template_version for f in two.recent] == ["1.0.0", "1.0.0"]
            assert {f.reason for f in three.recent} == {"there is no template gone@latest"}
            assert three.counts == {"refused": 2}
            assert three.status == "active"

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("overlap", "running", "outcomes"),
    [
        ("skip", 1, {"started": 1, "overlapped": 2}),
        ("queue", 1, {"started": 1, "queued": 2}),
        ("allow", 3, {"started": 3}),
        ("cancel_older", 1, {"started": 3}),
    ],
)
def test_a_run_that_does_not_end(overlap: str, running: int, outcomes: dict[str, int]) -> None:
    """What becomes of the next moments is as the schedule says; a cancelled run really ends."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("slow", ends=False)
            await world.coordinator("c1")
            await world.say("sc_1", saved("r1", template_id="slow", overlap=overlap))
            await world.pass_time(35)
            state = await world.schedule("sc_1")
            assert state.counts == outcomes
            open_now = [s for s in await world.all_executions() if not s.ended]
            assert len(open_now) == running
            assert len(state.runs) == running

    run_virtually(scenario())


def test_a_time_without_coordinators_is_made_up_once() -> None:
    """Nobody is there for a minute and more; then the newest of what was missed is run."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("quick")
            only = await world.coordinator("c1")
            await world.say("sc_1", saved("r1", missed="run_once", missed_after_s=20))
            await world.pass_time(12)
            await world.kill(only)
            await world.pass_time(90)
            await world.coordinator("c2")
            await world.pass_time(12)
            state = await world.schedule("sc_1")
            moments = await _started_moments(world, "sc_1")
            missed = [f for f in state.recent if f.outcome == "missed"]
            assert len(missed) == 1
            assert len(moments) + missed[0].count == moments[-1] // 10_000
            assert missed[0].count >= 8
            assert len(moments) == 3

    run_virtually(scenario())


def test_a_damaged_schedule_is_put_aside_and_the_others_go_on() -> None:
    """What is said about it is quarantined with the reason; its partition is not held up."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("quick")
            first = await world.coordinator("c1")
            for one in ("sc_1", "sc_2"):
                await world.say(one, saved("r1"))
            await world.pass_time(12)
            await world.kill(first)
            world.automations.damage("sc_1")
            await world.coordinator("c2")
            await world.pass_time(40)
            assert (await world.schedule("sc_2")).counts["started"] >= 4
            put_aside = world.executions.quarantined
            assert {one.execution_id for one in put_aside} == {"sc_1"}
            assert "cannot be read" in put_aside[0].reason

    run_virtually(scenario())
