"""What was run through the gateway is told exactly, remembered once, and the same after a kill, a
restart and a rebuild."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from shared.adapters.mongo.analytics import MongoAnalyticsStore
from tests.integration.learning.world import PATIENCE_S, LearningWorld
from tests.integration.test_gateway_executions import run, store

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

ANALYTICS = "/api/v1/analytics"
ECHO = {"id": "say", "command": "noop", "parameters": {"echo": "one"}}
LATER = {"id": "later", "command": "wait", "parameters": {"seconds": 0.05}, "depends_on": ["say"]}
FAILS = {"id": "fall", "command": "shell", "parameters": {"script": "exit 3"}}
ENOUGH = 9


@pytest_asyncio.fixture(name="ran", scope="module", loop_scope="module")
async def executions(world: LearningWorld) -> list[str]:
    """Six that complete, three that fail; the service is killed in the midst of them."""
    await store(world.world, "sings", ECHO, LATER)
    await store(world.world, "falls", FAILS)
    ids = [(await run(world.world, "sings"))["execution_id"] for _ in range(4)]
    await world.kill()
    ids += [(await run(world.world, "falls"))["execution_id"] for _ in range(3)]
    await world.start()
    ids += [(await run(world.world, "sings"))["execution_id"] for _ in range(2)]
    return ids


async def ask(world: LearningWorld, path: str, **query: Any) -> Any:
    answer = await world.world.client.get(f"{ANALYTICS}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def counted(world: LearningWorld, runs: int = ENOUGH) -> Any:
    """The overview, once it tells of so many runs."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    while True:
        found = await ask(world, "overview")
        if found["runs"]["runs"] >= runs:
            return found
        assert loop.time() < until_s, found["runs"]
        await asyncio.sleep(0.2)


async def recalled(world: LearningWorld, **query: Any) -> list[Any]:
    answer = await world.world.client.get("/api/v1/memories", params=query)
    return [one["memory"] for one in answer.json()["items"]]


async def tables(world: LearningWorld) -> dict[str, str]:
    kept = MongoAnalyticsStore(world.mongo)
    names = list(await kept.digests())
    return {name.text(): text for name, text in (await kept.read(names)).items()}


async def test_what_was_run_is_told_exactly(world: LearningWorld, ran: list[str]) -> None:
    """Runs, outcomes, steps, attempts, agents and failures, though the service was killed."""
    runs = (await counted(world))["runs"]
    assert (runs["runs"], runs["completed"], runs["failed"]) == (ENOUGH, 6, 3)
    lines = (await ask(world, "templates"))["items"]
    assert {one["template_id"]: one["runs"]["runs"] for one in lines} == {"sings": 6, "falls": 3}
    sings = await ask(world, "templates/sings")
    assert {one["step"]: one["attempts"]["completed"] for one in sings["steps"]} == {
        "say": 6,
        "later": 6,
    }
    falls = await ask(world, "templates/falls")
    assert [(one["step"], one["runs"]) for one in falls["failures"]] == [("fall", 3)]
    assert falls["runs"]["success"]["share"] == 0
    agents = (await ask(world, "agents"))["items"]
    assert [(one["agent"], one["attempts"]["attempts"]) for one in agents] == [("agent-test", 15)]


async def test_each_execution_left_one_memory(world: LearningWorld, ran: list[str]) -> None:
    """Found by what happened, and pointing to its execution."""
    await counted(world)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    memories: list[Any] = []
    while len(memories) < len(ran) and loop.time() < until_s:
        await asyncio.sleep(0.2)
        memories = await recalled(world, category="execution", limit=50)
    assert sorted(one["origin"]["execution_id"] for one in memories) == sorted(ran)
    best = (await recalled(world, text="falls failed"))[0]
    assert "falls (falls 1.0.0) failed" in best["content"]
    assert best["importance"] > 0.5


async def test_a_restart_tells_the_same(world: LearningWorld, ran: list[str]) -> None:
    """Killed and started again, nothing is counted twice and no table differs."""
    await counted(world)
    await asyncio.sleep(2)
    before = await tables(world)
    await world.kill()
    await world.start()
    await run(world.world, "sings")
    after = await counted(world, ENOUGH + 1)
    assert after["runs"]["runs"] == ENOUGH + 1
    assert set(before) <= set(await tables(world))


async def test_a_rebuild_tells_the_same(world: LearningWorld, ran: list[str]) -> None:
    """Counted anew from the record, every table has the same bytes."""
    await counted(world, ENOUGH + 1)
    await asyncio.sleep(2)
    before = await tables(world)
    answer = await world.world.client.post("/api/v1/learning/rebuild", json={"model": "analytics"})
    assert answer.status_code == 202, answer.text
    await world.rebuilt_by_now()
    await asyncio.sleep(3)
    assert await tables(world) == before
