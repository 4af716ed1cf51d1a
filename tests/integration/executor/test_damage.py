"""What is damaged or very large in the store stops one execution at the most."""

from __future__ import annotations

import pytest

from tests.integration.executor.world import World, noop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

WIDTH = 30
BIG_CHARACTERS = 700_000
LIMITS = {"output_limit_bytes": 1024 * 1024}


async def test_a_damaged_state_stops_nobody_else(world: World) -> None:
    """Of two waiting executions one is damaged in the database while no coordinator runs: what is
    said about it is quarantined with its reason, and the other one goes on to its end."""
    executor = await world.executor("one", **LIMITS)
    wait = {"id": "a", "command": "wait", "parameters": {"seconds": 8}}
    template = await world.template("waits", [wait, noop("b", depends_on=["a"])])
    damaged, sound = [await world.request(template) for _ in range(2)]
    for execution in (damaged, sound):
        await world.step_when(execution, "a", "waiting")
    await executor.kill()
    executions = world.mongo.database["executions"]
    await executions.update_one({"_id": damaged}, {"$set": {"state": "{"}})
    await executor.start()
    assert (await world.ended(sound)).status == "completed"

    async def quarantined() -> bool:
        found = await world.mongo.database["quarantine"].find_one({"execution_id": damaged})
        return found is not None and "cannot be read" in found["reason"]

    await world.until(quarantined, "the damaged execution's timer is quarantined")
    assert (await world.run("after", [noop("a")])).status == "completed"


async def test_more_decided_at_once_than_a_document_holds(world: World) -> None:
    """A step's large output that is handed to many steps in one decision is stored whole, and the
    partition goes on."""
    if "one" not in world.executors:
        await world.executor("one", **LIMITS)
    big = noop("big", "x" * BIG_CHARACTERS)
    rest = {"depends_on": ["big"], "continue_on_failure": True}
    fan = [noop(f"s{n}", "${{ steps.big.output.echo }}", **rest) for n in range(WIDTH)]
    state = await world.run("wide", [big, *fan])
    assert state.ended
    failures = {s.failure.code for s in state.steps.values() if s.failure is not None}
    assert failures <= {"outputs_too_large"}
    assert sum(s.status == "completed" for s in state.steps.values()) > 5
    assert (await world.run("after_wide", [noop("a")])).status == "completed"
