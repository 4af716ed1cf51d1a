"""kill -9 of coordinators around the moments of schedules: one execution for each moment."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from ops.stack.servers import embedded_servers
from shared.adapters.mongo.actors import MongoAutomationStore
from shared.adapters.nats.tasks import NatsTaskFeed
from shared.automation.messages import Saved
from shared.automation.schedule import run_id
from shared.automation.specs import ScheduleSpec
from shared.automation.states import ScheduleState
from shared.contracts import subjects
from tests.integration.executor.world import World, new_world, noop
from tests.judge import judge_of

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]

SCHEDULES = 6
STRIKES = 8


async def _state(world: World, schedule_id: str) -> ScheduleState:
    store = MongoAutomationStore(world.mongo)
    found = await store.peek(schedule_id)
    assert found is not None
    assert isinstance(found.state, ScheduleState)
    return found.state


async def _strike(world: World, rng: random.Random) -> None:
    """Kill one of two coordinators at a random moment, leave it dead for a while."""
    for _ in range(STRIKES):
        await asyncio.sleep(rng.uniform(0.2, 2.5))
        victim = world.executors[rng.choice(("one", "two"))]
        await victim.kill()
        await asyncio.sleep(rng.uniform(0, 4))
        await victim.start()


async def test_every_moment_is_started_once_or_said_to_be_missed(tmp_path: Path) -> None:
    """Every second of six schedules, while two coordinators are killed in turn: each moment has
    one outcome, each that was started exactly one execution, and each execution ends."""
    rng = random.Random(20)
    with embedded_servers(tmp_path / "servers", durability="relaxed") as servers:
        async with new_world(servers, tmp_path) as world:
            await world.template("timed", [noop("a")])
            for name in ("one", "two"):
                await world.executor(name)
            pools = (subjects.pool_validator(),)
            judge = judge_of(NatsTaskFeed(world.bus, "", (), slots=8, pools=pools), world.journal)
            judge.start()
            ids = [f"sc_kill{number}" for number in range(SCHEDULES)]
            for number, one in enumerate(ids):
                spec = ScheduleSpec.model_validate(
                    {
                        "name": one,
                        "template_id": "timed",
                        "timetable": {"every_s": 1},
                        "overlap": "allow",
                        "missed": ("skip", "run_once", "run_all")[number % 3],
                        "missed_after_s": 3,
                    }
                )
                await world.journal.append(one, Saved(request_id="r1", spec=spec), f"made.{one}")
            await _strike(world, rng)
            for one in ids:
                paused = '{"type":"automation_paused","request_id":"r2"}'
                await world.publish_raw(one, paused.encode())

            async def all_over() -> bool:
                states = [await _state(world, one) for one in ids]
                return all(s.status == "paused" and not s.runs for s in states)

            await world.until(all_over, "every schedule paused, every run over")
            await judge.close()
            for one in ids:
                await _check(world, await _state(world, one))


async def _check(world: World, state: ScheduleState) -> None:
    documents = world.mongo.database["executions"].find({"requested_by": state.id})
    found = {document["_id"] async for document in documents}
    started = [f for f in state.recent if f.outcome == "started"]
    assert {run_id(state.id, 1, f.moment_ms) for f in started} <= found
    assert len(found) == state.counts["started"]
    states = [await world.ended(execution) for execution in sorted(found)]
    moments = sorted(s.trigger.moment_ms or 0 for s in states)
    assert len(moments) == len(set(moments))
    # Between the first and the last moment nothing is without an outcome.
    pending = state.counts.get("dropped", 0)
    covered = sum(state.counts.values()) - pending
    span = (max(f.until_ms or f.moment_ms for f in state.recent) - state.anchor_ms) // 1_000
    assert covered in (span, span - pending)
