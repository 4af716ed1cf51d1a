"""Several coordinators share the partitions, take over from a dead one, and let a new one in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

THREE = [
    shell("one", "sleep 0.3"),
    shell("two", "sleep 0.3", depends_on=["one"]),
    noop("three", "${{ steps.two.output.exit_code }}", depends_on=["two"]),
]
EXECUTIONS = 40
TAKEOVER_BOUND_S = 30.0


async def _hands(world: World) -> None:
    if "hands" not in world.executors:
        await world.executor("hands", role="runner")
    if "alpha" not in world.executors:
        await world.executor("alpha", role="coordinator")


async def test_a_coordinator_takes_over_from_a_dead_one(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """Two coordinators hold half of the partitions each; when one is killed, the other holds all
    within the bound, and every running execution ends."""
    await _hands(world)
    beta = await world.executor("beta", role="coordinator")
    await world.hold({"alpha": 8, "beta": 8})
    template = await world.template("three", THREE)
    executions = [await world.request(template) for _ in range(EXECUTIONS)]
    await world.state_when(executions[-1], lambda state: state.steps["one"].attempt > 0)
    await beta.kill()
    killed = time.monotonic()
    await world.hold({"alpha": 16})
    took_s = time.monotonic() - killed
    record_property("takeover_s", round(took_s, 1))
    print(f"takeover after {took_s:.1f} s")
    assert took_s < TAKEOVER_BOUND_S
    for state in await world.all_ended(executions):
        assert state.status == "completed"
        assert all(len(step.attempts) == 1 for step in state.steps.values())


async def test_a_newcomer_gets_its_share_and_gives_it_back(world: World) -> None:
    """A coordinator that joins under load gets half, one that ends gives its part up at once, and
    no execution is lost or repeated by either handover."""
    await _hands(world)
    template = await world.template("three", THREE)
    await world.hold({"alpha": 16})
    executions = [await world.request(template) for _ in range(EXECUTIONS)]
    gamma = await world.executor("gamma", role="coordinator")
    executions += [await world.request(template) for _ in range(EXECUTIONS)]
    await world.hold({"alpha": 8, "gamma": 8})
    executions += [await world.request(template) for _ in range(EXECUTIONS)]
    await asyncio.sleep(0.2)
    await gamma.stop()
    await world.hold({"alpha": 16})
    for state in await world.all_ended(executions):
        assert state.status == "completed"
        assert all(len(step.attempts) == 1 for step in state.steps.values())
