"""Agents that die, leave, or never come back: on_lost decides, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Literal

import pytest

from shared.workflow.messages import Actor, LostResolved
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

Verdict = Literal["completed", "failed", "rerun"]


async def _coordinator(world: World) -> None:
    if "mind" not in world.executors:
        await world.executor("mind", role="coordinator")
        await world.executor("spare", role="runner", agent_slots=4, agent_labels="kind=spare")


async def _runs_one_of(world: World, executions: list[str], agent: str) -> bool:
    steps = [
        state.steps["a"]
        for one in executions
        if (state := await world.queries.get(one)) is not None
    ]
    return any(step.status == "running" and step.agent == agent for step in steps)


def _doomed(step: str, script: str, **rest: Any) -> dict[str, Any]:
    return shell(step, script, required_capabilities=["pit"], start_timeout_s=5, **rest)


async def test_on_lost_decides(world: World) -> None:
    """A step whose agent is killed midway fails, runs again, or waits for a person, as it says; the
    loss stays in the record."""
    await _coordinator(world)
    doomed = await world.executor("doomed", role="runner", agent_capabilities="pit")
    book = world.home / "lost-book"
    script = f'echo "$ME" >> {book}; [ $(grep -c "$ME" {book}) -gt 1 ] || sleep 60'
    parameters = {"script": script, "env": {"ME": "${{ execution.id }}"}}
    steps = {
        mode: [_doomed("a", "", on_lost=mode, parameters=parameters)]
        for mode in ("fail", "rerun", "ask")
    }
    asked = [await world.start("lost_ask", steps["ask"])]
    asked += [await world.request("lost_ask") for _ in range(2)]
    failing = await world.start("lost_fail", steps["fail"])
    rerun = await world.start("lost_rerun", steps["rerun"])
    for execution in (*asked, failing, rerun):
        await world.step_when(execution, "a", "running")
    await asyncio.sleep(0.3)  # until each script has left its line
    await doomed.kill()
    await world.executor("heir", role="runner", agent_capabilities="pit")

    state = await world.ended(failing)
    assert state.status == "failed"
    assert state.steps["a"].failure is not None
    assert state.steps["a"].failure.code == "lost"
    assert "doomed" in state.steps["a"].failure.message

    state = await world.ended(rerun)
    assert state.status == "completed"
    first, second = state.steps["a"].attempts
    assert (first.outcome, first.agent) == ("lost", "doomed")
    assert (second.outcome, second.agent) == ("completed", "heir")

    by = Actor(id="ops")
    verdicts: tuple[Verdict, ...] = ("completed", "failed", "rerun")
    for execution, verdict in zip(asked, verdicts, strict=True):
        await world.step_when(execution, "a", "lost")
        answer = LostResolved(step="a", attempt=1, verdict=verdict, by=by, output={"stdout": "x"})
        await world.journal.append(execution, answer, f"verdict.{execution}")
    completed, failed, again = await world.all_ended(asked)
    assert completed.status == "completed"
    assert completed.steps["a"].output == {"stdout": "x"}
    assert failed.status == "failed"
    assert again.steps["a"].attempts[0].outcome == "lost"
    assert again.steps["a"].attempts[1].outcome == "completed"
    assert again.status == "completed"


async def test_an_agent_that_never_comes_back(world: World) -> None:
    """What only a dead agent could run ends too: a step that it was running is lost, one that was
    queued for it finds no agent."""
    await _coordinator(world)
    hermit = await world.executor("hermit", role="runner", agent_slots=1)
    target = {"host": "hermit"}
    running = await world.start("hermit_runs", [shell("a", "sleep 60", target=target)])
    await world.step_when(running, "a", "running")
    queued = await world.start("hermit_queue", [noop("a", target=target, start_timeout_s=1)])
    await world.step_when(queued, "a", "scheduled")
    await hermit.kill()
    state = await world.ended(running)
    assert state.status == "failed"
    assert state.steps["a"].failure is not None
    assert state.steps["a"].failure.code == "lost"
    state = await world.ended(queued)
    assert state.status == "failed"
    assert state.steps["a"].failure is not None
    assert state.steps["a"].failure.code == "no_agent"
    assert state.steps["a"].attempts == () or state.steps["a"].attempts[0].started_at_ms == 0


async def test_a_runner_leaves_in_order(world: World) -> None:
    """At SIGTERM what runs finishes within the grace, what was not started runs elsewhere without
    counting as a failure, and the agent is out of the directory when its process ends."""
    await _coordinator(world)
    leaver = await world.executor(
        "leaver", role="runner", agent_slots=2, agent_capabilities="door", shutdown_grace_s=20
    )
    needs = {"required_capabilities": ["door"]}
    door = world.home / "door-is-open"
    script = f"until [ -e {door} ]; do sleep 0.05; done; echo done"
    template = await world.template("leaving", [shell("a", script, **needs)])
    executions = [await world.request(template) for _ in range(6)]
    await world.until(partial(_runs_one_of, world, executions, "leaver"), "the leaver has work")
    heir = await world.executor("heir2", role="runner", agent_slots=8, agent_capabilities="door")
    leaver.terminate()
    await world.until(partial(_runs_one_of, world, executions, "heir2"), "the heir has work")
    door.touch()
    assert await leaver.ended() == 0
    names = [agent.name for agent in await world.directory.live()]
    assert "leaver" not in names
    assert heir.name in names
    states = await world.all_ended(executions)
    for state in states:
        assert state.status == "completed"
        assert [a.outcome for a in state.steps["a"].attempts] == ["completed"]
    assert {state.steps["a"].agent for state in states} == {"leaver", "heir2"}


async def test_what_does_not_finish_in_the_grace_is_stopped_and_tried_elsewhere(
    world: World,
) -> None:
    """At the end of the grace a running step is stopped with proof, and its retry runs on another
    agent."""
    await _coordinator(world)
    hasty = await world.executor(
        "hasty", role="runner", agent_capabilities="gate", shutdown_grace_s=0
    )
    marker = world.home / "hasty-was-here"
    script = f"[ -e {marker} ] || {{ touch {marker}; sleep 60; }}"
    retry = {"max_attempts": 2, "delay_s": 0.1}
    step = shell("a", script, required_capabilities=["gate"], retry=retry)
    execution = await world.start("hasty", [step])

    async def began() -> bool:
        return marker.exists()

    await world.until(began, "the first attempt runs")
    await world.executor("calm", role="runner", agent_capabilities="gate")
    hasty.terminate()
    assert await hasty.ended() == 0
    state = await world.ended(execution)
    first = state.steps["a"].attempts[0]
    assert first.agent == "hasty"
    assert first.failure is not None
    assert first.failure.code == "agent_shutdown"
    assert first.proof is not None
    assert first.proof.gone
    second = state.steps["a"].attempts[1]
    assert (second.agent, second.outcome) == ("calm", "completed")
