"""The working directories of attempts whose agent was killed."""

from __future__ import annotations

import pytest

from tests.integration.executor.world import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.long
async def test_working_directories_do_not_pile_up(world: World) -> None:
    """An agent that was killed midway removes, when it comes back, what its attempts had left, and
    keeps what is the agent's own."""
    await world.executor("head", role="coordinator")
    agent = await world.executor("messy", role="runner")
    own = world.home / "agents" / "messy"
    execution = await world.start("mess", [shell("a", "echo secret > mine; sleep 15")])
    await world.step_when(execution, "a", "running")

    async def at_work() -> bool:
        return [path.name for path in own.glob("work/*/mine")] == ["mine"]

    await world.until(at_work, "the step has written its file")
    (own / "kept").write_text("x")
    await agent.kill()
    assert await at_work()
    await agent.start()
    assert list((own / "work").iterdir()) == []
    assert (own / "kept").read_text() == "x"
    assert (await world.ended(execution)).status == "failed"
