"""What went wrong in other systems of this kind, one test each, with real processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.adapters.mongo.participants import MongoParticipants
from shared.contracts.collective import Participant
from shared.workflow.messages import PauseRequested, ResumeRequested
from shared.workflow.state import ExecutionState
from tests.faults.peers import began, kill_all, noted, peers_world, start_all, times
from tests.integration.executor.world import noop
from tests.integration.gateway_process import GatewayProcess

pytestmark = [pytest.mark.kill, pytest.mark.long, pytest.mark.timeout(300)]

AWAY_S = float(os.environ.get("HIVE_FAULTS_AWAY_S", "35"))
"""Longer than each bound of ours on one request, lease, connection or delivery; only what the bus
remembers of message ids lasts longer (120 s): `HIVE_FAULTS_AWAY_S=150` tests that too."""
EXECUTIONS = 30


def outcomes(state: ExecutionState, step: str) -> list[tuple[str, str]]:
    return [(attempt.outcome, attempt.agent) for attempt in state.steps[step].attempts]


async def test_a_worker_that_is_slow_but_not_dead(tmp_path: Path) -> None:
    """A runner is frozen in the middle of steps for longer than its tasks wait. What may not run
    twice is called lost and not run again, and its late report changes nothing; where a person is
    to say what became of it, the late report says it; what may run twice runs elsewhere, and of two
    reports one counts."""
    async with peers_world(tmp_path) as world:
        await world.executor("mind", role="coordinator")
        slow = await world.executor("slow", role="runner", agent_capabilities="ice")
        modes = ("fail", "ask", "rerun")
        needs: dict[str, Any] = {"required_capabilities": ["ice"]}
        runs = {
            mode: await world.start(
                f"slow_{mode}", [noted(world, "a", "sleep 3", on_lost=mode, **needs)]
            )
            for mode in modes
        }
        for execution in runs.values():
            await began(world, execution, "a")
            await world.step_when(execution, "a", "running")
        slow.freeze()
        await world.executor("heir", role="runner", agent_capabilities="ice")
        failed = await world.ended(runs["fail"])
        await world.step_when(runs["ask"], "a", "lost")
        rerun = await world.ended(runs["rerun"])
        slow.thaw()
        asked = await world.ended(runs["ask"])
        after = await world.run("slow_after", [noop("a")])  # behind the late reports
        assert after.status == "completed"
        assert failed.status == "failed"
        assert outcomes(failed, "a") == [("lost", "slow")]
        assert await world.ended(runs["fail"]) == failed
        assert asked.status == "completed"
        assert asked.steps["a"].agent == "slow"
        assert outcomes(rerun, "a") == [("lost", "slow"), ("completed", "heir")]
        assert await world.ended(runs["rerun"]) == rerun
        counts = {mode: times(world)[execution, "a"] for mode, execution in runs.items()}
        assert counts == {"fail": 1, "ask": 1, "rerun": 2}


async def test_a_runner_killed_while_it_hands_its_tasks_back(tmp_path: Path) -> None:
    """It was told to stop and is killed right then: what it had not started runs elsewhere as the
    same attempt, what it had started is lost, and nothing has two beginnings."""
    async with peers_world(tmp_path) as world:
        await world.executor("mind", role="coordinator")
        leaver = await world.executor("leaver", role="runner", agent_slots=2)
        template = await world.template("leaving", [noted(world, "a", "sleep 1")])
        executions = [await world.request(template) for _ in range(EXECUTIONS)]
        await world.executor("heir", role="runner", agent_slots=4)
        await began(world, executions[0], "a")
        leaver.terminate()
        await asyncio.sleep(0.02)
        await leaver.kill()
        states = await world.all_ended(executions)
        for state in states:
            assert times(world)[state.execution_id, "a"] <= 1
            assert len(state.steps["a"].attempts) == 1
            assert state.steps["a"].attempts[0].outcome in ("completed", "lost")
            if state.steps["a"].attempts[0].outcome == "completed":
                assert times(world)[state.execution_id, "a"] == 1
        assert sum(state.status == "completed" for state in states) >= EXECUTIONS - 4


async def test_a_coordinator_killed_while_it_offers_tasks_again(tmp_path: Path) -> None:
    """The tasks of a dead agent are being offered to another one when the coordinator that does so
    dies, too: each runs once, as the attempt that it was."""
    async with peers_world(tmp_path) as world:
        first = await world.executor("first", role="coordinator")
        await world.executor("second", role="coordinator")
        await world.hold({"first": 8, "second": 8})
        pit = {"role": "runner", "agent_labels": "kind=pit", "agent_slots": 1}
        gone = await world.executor("gone", **pit)
        await world.executor("heir", **pit)
        step = noted(world, "a", "sleep 1", target={"labels": {"kind": "pit"}}, start_timeout_s=120)
        template = await world.template("pit", [step])
        executions = [await world.request(template) for _ in range(EXECUTIONS)]
        await began(world, executions[0], "a")
        await gone.kill()

        async def offered_again() -> bool:
            states = [await world.queries.get(execution) for execution in executions]
            return any(state.steps["a"].offer > 0 for state in states if state is not None)

        await world.until(offered_again, "tasks of the dead agent are offered again")
        await first.kill()
        states = await world.all_ended(executions)
        lost = [state for state in states if outcomes(state, "a") == [("lost", "gone")]]
        assert len(lost) <= 1
        for state in states:
            assert state in lost or [word for word, _ in outcomes(state, "a")] == ["completed"]
            assert times(world)[state.execution_id, "a"] <= 1
            assert state in lost or times(world)[state.execution_id, "a"] == 1


async def test_two_owners_of_one_partition(tmp_path: Path) -> None:
    """A coordinator is frozen under load for longer than its leases, another takes its partitions,
    and the first wakes up with what it had in hand: each step begins once, and a failed one is
    retried once, by one of them."""
    async with peers_world(tmp_path) as world:
        first = await world.executor("first", role="coordinator")
        await world.executor("second", role="coordinator")
        await world.hold({"first": 8, "second": 8})
        await world.executor("hands", role="runner")
        retry = {"max_attempts": 2, "delay_s": 0.5}
        steps = [
            noted(world, "a", "sleep 0.3"),
            noted(world, "b", "exit 3", depends_on=["a"], retry=retry, continue_on_failure=True),
            noted(world, "c", depends_on=["b"]),
        ]
        template = await world.template("owners", steps)
        executions = [await world.request(template) for _ in range(EXECUTIONS)]
        await began(world, executions[0], "a")
        first.freeze()
        await world.hold({"second": 16})
        executions += [await world.request(template) for _ in range(EXECUTIONS)]
        first.thaw()
        executions += [await world.request(template) for _ in range(EXECUTIONS)]
        for state in await world.all_ended(executions):
            assert state.status == "completed_with_errors"
            found = {step: times(world)[state.execution_id, step] for step in "abc"}
            assert found == {"a": 1, "b": 2, "c": 1}
            assert [attempt.outcome for attempt in state.steps["b"].attempts] == ["failed"] * 2
        await world.hold({"first": 8, "second": 8})


@pytest.mark.parametrize("server", ["nats", "mongo"])
async def test_a_server_is_away_for_longer_than_anybody_tries(tmp_path: Path, server: str) -> None:
    """Bus or database are killed under load and come back later than any bound on a request, a
    lease, a connection or a delivery: everything goes on where it was, and nothing is run twice."""
    async with peers_world(tmp_path) as world:
        await world.executor("mind", role="coordinator")
        await world.executor("hands", role="runner")
        steps = [
            noted(world, "a", "sleep 0.5"),
            {"id": "rest", "command": "wait", "depends_on": ["a"], "parameters": {"seconds": 2}},
            noted(world, "b", depends_on=["rest"]),
        ]
        template = await world.template("away", steps)
        executions = [await world.request(template) for _ in range(EXECUTIONS)]
        await began(world, executions[0], "a")
        away = getattr(world.servers, server)
        await asyncio.to_thread(away.kill)
        waiting = [asyncio.create_task(world.request(template)) for _ in range(EXECUTIONS)]
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(away.restart)
        executions += await asyncio.gather(*waiting)
        for state in await world.all_ended(executions):
            assert state.status == "completed"
            assert {s: times(world)[state.execution_id, s] for s in "ab"} == {"a": 1, "b": 1}
        assert all(executor.running for executor in world.executors.values())


async def test_a_paused_run_is_killed_and_started_again(tmp_path: Path) -> None:
    """Everything dies during a pause: afterwards it is still paused, nothing has run meanwhile, and
    at the resumption the rest runs, once."""
    async with peers_world(tmp_path) as world:
        await world.executor("mind", role="coordinator")
        await world.executor("hands", role="runner")
        steps = [noted(world, "a"), noted(world, "b", depends_on=["a"])]
        steps[0]["parameters"]["script"] += "; sleep 2"
        execution = await world.start("paused", steps)
        await began(world, execution, "a")
        await world.journal.append(execution, PauseRequested(), "pause.1")
        await world.step_when(execution, "a", "completed")
        paused = await world.state_when(execution, lambda state: state.status == "paused")
        await kill_all(world)
        await start_all(world)
        assert (await world.run("after", [noop("a")])).status == "completed"
        assert await world.queries.get(execution) == paused
        assert times(world)[execution, "b"] == 0
        await world.journal.append(execution, ResumeRequested(), "resume.1")
        state = await world.ended(execution)
        assert state.status == "completed"
        assert {s: times(world)[execution, s] for s in "ab"} == {"a": 1, "b": 1}


async def test_a_human_task_is_offered_and_done_once(tmp_path: Path) -> None:
    """The agent that offered a task is killed, and so is the coordinator when it is answered; the
    answer comes several times at once with different results: there is one task, one result is
    taken and the others are refused, and the step has ended once, with that result."""
    async with peers_world(tmp_path) as world:
        mind = await world.executor("mind", role="coordinator")
        hands = await world.executor("hands", role="runner")
        gateway = GatewayProcess(world.servers, world.home, "gateway")
        await gateway.start()
        await MongoParticipants(world.mongo).save(Participant(name="ann", kind="human"))
        step = {"id": "ask", "command": "hv-delegate", "parameters": {"task": "look at it"}}
        execution = await world.start("human", [step])
        await world.step_when(execution, "ask", "waiting")
        await hands.kill()
        await hands.start()
        async with gateway.client() as client:
            offered = (await client.get("/api/v1/delegations")).json()["items"]
            assert len(offered) == 1
            one = f"/api/v1/delegations/{offered[0]['id']}"
            accepted = [client.post(f"{one}/accept?participant=ann") for _ in range(3)]
            assert {a.status_code for a in await asyncio.gather(*accepted)} == {200}
            await mind.kill()
            answers = await asyncio.gather(*(_complete(client, one, n) for n in range(4)))
            await mind.start()
            state = await world.ended(execution)
            assert await _delegations(client) == 1
        await gateway.stop()
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        taken = next(answer for answer in answers if answer.status_code == 200)
        assert state.status == "completed"
        assert state.steps["ask"].output["result"] == taken.json()["result"]
        events = [event for entry in await world.history(execution) for event in entry.events]
        assert sum(event.type == "step.completed" for event in events) == 1


async def _complete(client: httpx.AsyncClient, one: str, number: int) -> httpx.Response:
    return await client.post(f"{one}/complete?participant=ann", json={"result": {"number": number}})


async def _delegations(client: httpx.AsyncClient) -> int:
    return len((await client.get("/api/v1/delegations")).json()["items"])
