"""Steps that wait hold nothing, and outlive what is restarted meanwhile."""

from __future__ import annotations

import pytest

from tests.integration.executor.world import World, noop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_a_wait_holds_no_slot_and_survives_a_restart(world: World) -> None:
    """While a step waits, the only slot of its agent runs other steps; the coordinator is killed
    and started again, and the wait ends at its time, in one attempt."""
    mind = await world.executor("mind", role="coordinator")
    await world.executor("hand", role="runner", agent_slots=1)
    wait = {"id": "a", "command": "wait", "parameters": {"seconds": 7}}
    execution = await world.start("waiting", [wait, noop("b", depends_on=["a"])])
    await world.state_when(execution, lambda state: state.status == "waiting")
    assert (await world.run("meanwhile", [noop("a")])).status == "completed"
    await mind.kill()
    await mind.start()
    state = await world.ended(execution)
    assert state.status == "completed"
    assert state.steps["a"].output["waited_s"] >= 7
    (attempt,) = state.steps["a"].attempts
    assert attempt.outcome == "completed"
    assert state.steps["a"].leg >= 1
