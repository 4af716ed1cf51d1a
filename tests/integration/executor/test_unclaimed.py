"""Steps that change nothing: claimed only when they take a while."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow.messages import AttemptFinished, AttemptStarted
from shared.workflow.state import ExecutionState
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def _world(world: World) -> None:
    if "one" not in world.executors:
        await world.executor("one")
        await world.executor("two", role="runner", agent_capabilities="rare")


async def _said(world: World, state: ExecutionState, step: str) -> list[type]:
    """The kinds of reports about a step, in the order of the journal."""
    kinds = (AttemptStarted, AttemptFinished)
    history = await world.history(state.execution_id)
    messages = [entry.message for entry in history]
    return [type(m) for m in messages if isinstance(m, kinds) and m.step == step]


async def test_only_what_must_be_is_claimed_first(world: World) -> None:
    """A quick step without effects is told of by its report alone; one that says what a loss means
    or that changes something, be it idempotent, is claimed; each is started, run and ended once."""
    await _world(world)
    steps: list[dict[str, Any]] = [
        noop("free"),
        noop("asked", on_lost="ask"),
        shell("quick", "true", idempotent=True),
        shell("slow", "sleep 0.5", idempotent=True),
        shell("mutates", "true"),
    ]
    for number in range(5):  # on a busy machine what does nothing takes a while, too
        state = await world.run(f"claims-{number}", steps)
        assert state.status == "completed"
        if await _said(world, state, "free") == [AttemptFinished]:
            break
    assert await _said(world, state, "free") == [AttemptFinished]
    claimed = [AttemptStarted, AttemptFinished]
    for name in ("asked", "quick", "slow", "mutates"):
        assert await _said(world, state, name) == claimed, name
    for ended in state.steps.values():
        (attempt,) = ended.attempts
        assert attempt.agent in ("one", "two")
        assert attempt.started_at_ms > 0


async def test_a_harmless_step_outlives_its_agent(world: World) -> None:
    """When the agent dies while it runs a step that may run twice, another agent runs it again and
    the execution completes; nothing is marked as lost that was not claimed."""
    await _world(world)
    book = world.home / "harmless-book"
    script = f'echo "$$" >> {book}; [ $(wc -l < {book}) -gt 1 ] || sleep 60'
    step = shell("a", script, idempotent=True, required_capabilities=["rare"])
    execution = await world.start("harmless", [step])
    await world.step_when(execution, "a", "running")
    await world.executors["two"].kill()
    await world.executor("three", role="runner", agent_capabilities="rare")
    state = await world.ended(execution)
    assert state.status == "completed"
    assert [a.outcome for a in state.steps["a"].attempts] == ["lost", "completed"]
    assert len(book.read_text(encoding="utf-8").splitlines()) == 2
