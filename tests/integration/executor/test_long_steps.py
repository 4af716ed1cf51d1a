"""Steps that take longer than an agent may be silent, and more of them than it has slots."""

from __future__ import annotations

from itertools import accumulate

import pytest

from shared.adapters.nats.tasks import ACK_WAIT_S
from tests.integration.executor.world import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.mark.long
async def test_a_long_step_stays_with_its_agent(world: World) -> None:
    """The agent's heartbeats keep a task beyond the wait for a silent one: nobody else is given it,
    and it runs once. Meanwhile what exceeds the agent's slots waits for one to be free."""
    await world.executor("clock", role="coordinator")
    for name in ("slow", "slower"):
        await world.executor(name, role="runner", agent_slots=1)
    book = world.home / "long-book"
    takes_s = {"long_a": ACK_WAIT_S + 3, "long_b": ACK_WAIT_S + 3, "short_a": 0.2, "short_b": 0.2}
    steps = [
        shell(name, f"echo +{name} >> {book}; sleep {s}; echo -{name} >> {book}")
        for name, s in takes_s.items()
    ]
    state = await world.run("long", steps)
    assert state.status == "completed"
    for step in state.steps.values():
        assert [attempt.outcome for attempt in step.attempts] == ["completed"]
    lines = book.read_text().splitlines()
    assert sorted(lines) == sorted(f"{sign}{name}" for sign in "+-" for name in takes_s)
    running = list(accumulate(1 if line[0] == "+" else -1 for line in lines))
    assert max(running) == 2
