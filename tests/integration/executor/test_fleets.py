"""Fleets of real agents: one by one, as often as they may, and with some that die midway."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow.messages import Actor, ApprovalAnswered
from shared.workflow.state import ExecutionState
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

WEB = "agent.labels.role == 'web'"


async def _agents(world: World, *names: str, role: str = "web") -> None:
    if "mind" not in world.executors:
        await world.executor("mind", role="coordinator")
    for name in names:
        if name not in world.executors:
            await world.executor(name, role="runner", agent_slots=2, agent_labels=f"role={role}")

    async def all_seen() -> bool:
        live = {agent.name for agent in await world.directory.live()}
        return live >= set(names)

    await world.until(all_seen, f"{names} announced themselves")
    template = await world.template("probe", [noop("a", target={"where": "true"})])

    async def all_found() -> bool:
        """The coordinator reads the directory now and then."""
        output = (await world.ended(await world.request(template))).steps["a"].output
        found = output.get("results", ())  # none while it knows no agent at all
        return {one["target"] for one in found} >= set(names)

    await world.until(all_found, f"the coordinator knows {names}")


def _ran_on(state: ExecutionState) -> dict[str, str]:
    """By target, the agent that ran it."""
    return {
        one.instance.target: one.agent
        for one in state.steps.values()
        if one.instance is not None and one.attempts
    }


async def test_a_canary_people_and_the_rest(world: World) -> None:
    """The canary runs; people approve the targets that are left; each target runs on itself and on
    nothing else, also where several agents share a host; agents that do not match run nothing."""
    await _agents(world, "w1", "w2")
    await _agents(world, "db1", role="db")
    steps = [
        shell(
            "reload",
            "echo $WHO",
            parameters={"env": {"WHO": "${{ agent.name }} as ${{ agent.labels.role }}"}},
            target={"where": WEB, "canary": 1, "approve_after_canary": {}},
        ),
        noop("report", "${{ steps.reload.output.completed }}", depends_on=["reload"]),
    ]
    execution = await world.start("fleet_rolls", steps)
    waiting = await world.state_when(execution, lambda s: "reload.batch_2" in s.gates)
    gate = waiting.gates["reload.batch_2"]
    assert gate.targets == ("w2",)
    assert _ran_on(waiting) == {"w1": "w1"}
    answer = ApprovalAnswered(
        gate="reload.batch_2", by=Actor(id="alice"), approved=True, subject_hash=gate.subject_hash
    )
    await world.journal.append(execution, answer, f"yes.{execution}")
    state = await world.ended(execution)
    assert state.status == "completed"
    assert _ran_on(state) == {"w1": "w1", "w2": "w2"}
    results = state.steps["reload"].output["results"]
    assert [one["output"]["stdout"] for one in results] == ["w1 as web\n", "w2 as web\n"]
    assert [one["batch"] for one in results] == [1, 2]
    assert state.steps["report"].output["echo"] == 2

    nobody = await world.run("fleet_empty", [noop("a", target={"where": "agent.name == 'x'"})])
    assert nobody.failure is not None
    assert nobody.failure.code == "no_targets"
    assert "none of the 3 live agents" in nobody.failure.message


async def test_an_agent_starts_a_step_only_so_often(world: World) -> None:
    """A rate limit holds for one agent over all executions: what comes too early waits there."""
    await _agents(world, "w1", "w2")
    limit = {"starts": 2, "per_s": 1.5}
    template = await world.template(
        "limited", [shell("a", "true", target={"host": "w1", "rate_limit": limit})]
    )
    states = await world.all_ended([await world.request(template) for _ in range(5)])
    assert {state.status.value for state in states} == {"completed"}
    assert {state.steps["a"].agent for state in states} == {"w1"}
    began = sorted(state.steps["a"].attempts[0].started_at_ms for state in states)
    for first, third in zip(began, began[2:], strict=False):
        assert third - first >= 1_450, began


@pytest.mark.long
async def test_targets_that_die_and_one_that_joins(world: World) -> None:
    """A target that is killed while it runs is lost and counts; one that is gone when its batch
    begins is skipped, as the step says; one that joins midway is not included."""
    names = ["w1", "w2", "w3", "w4"]
    await _agents(world, *names)
    marker = world.home / "w2-runs"
    script = f'[ "$WHO" != w2 ] || {{ touch {marker}; sleep 120; }}; echo "$WHO"'
    target: dict[str, Any] = {
        "where": WEB,
        "strategy": "rolling",
        "canary": 1,
        "batch": 2,
        "max_failure": 1,
        "stop_on": "max_failure",
        "on_target_lost": "skip",
    }
    step = shell(
        "s",
        script,
        parameters={"env": {"WHO": "${{ agent.name }}"}},
        start_timeout_s=3,
        target=target,
    )
    execution = await world.start("fleet_dies", [step])

    async def runs() -> bool:
        return marker.exists()

    await world.until(runs, "the second batch runs")
    await world.executor("w5", role="runner", agent_labels="role=web")
    for name in ("w2", "w4"):
        await world.executors[name].kill()
    state = await world.ended(execution)
    output = state.steps["s"].output
    found = {one["target"]: (one["batch"], one["status"]) for one in output["results"]}
    assert found == {
        "w1": (1, "completed"),
        "w2": (2, "failed"),
        "w3": (2, "completed"),
        "w4": (3, "skipped"),
    }
    assert output["results"][1]["code"] == "lost"
    assert "its target is gone" in output["results"][3]["error"]
    assert (output["completed"], output["failed"], output["skipped"]) == (2, 1, 1)
    assert state.status == "completed"
