"""Cancel, timeouts and deadlines: what runs is gone, and what has not started never does."""

from __future__ import annotations

import secrets

import psutil
import pytest

from shared.workflow.events import StepRevoked, StepStarted
from shared.workflow.state import ExecutionState
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def _one(world: World) -> None:
    if "one" not in world.executors:
        await world.executor("one", agent_slots=1)


def _marked(mark: str) -> list[int]:
    """Pids of processes with this in their command line."""
    found = psutil.process_iter(["cmdline", "status"])
    return [
        p.pid
        for p in found
        if mark in " ".join(p.info["cmdline"] or ()) and p.info["status"] != psutil.STATUS_ZOMBIE
    ]


def _family(mark: str) -> str:
    """A script whose children and grandchildren sleep, one of them in a session of its own."""
    return f"""
        sleep 600.{mark} &
        (sleep 601.{mark} & sleep 602.{mark}) &
        setsid sleep 603.{mark} &
        sleep 604.{mark}
    """


def _new_mark() -> str:
    return str(secrets.randbelow(10**9) + 10**9)


def _proven(state: ExecutionState, step: str) -> set[int]:
    proof = state.steps[step].attempts[-1].proof
    assert proof is not None
    assert proof.gone, proof.reason
    return set(proof.pids)


async def test_cancel_ends_the_whole_family(world: World) -> None:
    """After a cancel every process that the step had started is gone, and the record proves it."""
    await _one(world)
    mark = _new_mark()
    steps = [shell("a", _family(mark)), noop("b", depends_on=["a"])]
    execution = await world.start("family", steps)

    async def all_sleep() -> bool:
        return len(_marked(mark)) == 5

    await world.until(all_sleep, "five processes")
    pids = set(_marked(mark))
    await world.cancel(execution)
    state = await world.ended(execution)
    assert state.status == "cancelled"
    assert state.steps["a"].status == "cancelled"
    assert state.steps["b"].status == "cancelled"
    assert pids <= _proven(state, "a")
    assert _marked(mark) == []
    proof = state.steps["a"].attempts[-1].proof
    assert proof is not None
    assert (proof.signals[:1], proof.exit) == (("SIGTERM",), "SIGTERM")


async def test_what_waits_for_a_slot_never_starts_after_a_cancel(world: World) -> None:
    """An execution that is cancelled in the queue runs nothing, and what is behind it goes on."""
    await _one(world)
    trace = world.home / "trace"
    blocker = await world.start("blocker", [shell("a", "sleep 60")])
    await world.step_when(blocker, "a", "running")
    queued = await world.start("queued", [shell("a", f"touch {trace}")])
    await world.step_when(queued, "a", "scheduled")
    behind = await world.start("behind", [noop("a")])
    await world.cancel(queued)
    assert (await world.ended(queued)).status == "cancelled"
    await world.cancel(blocker)
    assert (await world.ended(blocker)).status == "cancelled"
    assert (await world.ended(behind)).status == "completed"
    assert not trace.exists()


async def test_after_a_failure_what_is_queued_never_starts(world: World) -> None:
    """When a step fails for good, steps that no agent has claimed are cancelled; a claim that
    crosses the cancellation is revoked, and the history names its agent."""
    await _one(world)
    trace = world.home / "parallel"
    steps = [shell(f"s{n}", f"echo s{n} >> {trace}; sleep 1; exit 3") for n in range(6)]
    execution = await world.start("failing", steps)
    assert (await world.ended(execution)).status == "failed"
    assert (await world.run("after_failing", [noop("a")])).status == "completed"
    state = await world.ended(execution)
    kinds = sorted(step.status.value for step in state.steps.values())
    assert kinds == ["cancelled"] * 5 + ["failed"]
    events = [event for entry in await world.history(execution) for event in entry.events]
    begun = {e.step for e in events if isinstance(e, StepStarted | StepRevoked)}
    assert set(trace.read_text(encoding="utf-8").split()) <= begun
    assert len(begun) < len(steps)  # how many claims cross it depends on how busy the machine is


async def test_a_timeout_kills_and_the_retry_succeeds(world: World) -> None:
    """The first attempt is killed at its timeout with proof, the second one completes."""
    await _one(world)
    mark, marker = _new_mark(), world.home / "second-time"
    script = f"if [ -e {marker} ]; then exit 0; fi; touch {marker}; {_family(mark)}"
    step = shell("a", script, retry={"max_attempts": 2, "delay_s": 0.1}) | {"timeout_s": 1}
    state = await world.run("retried", [step])
    assert state.status == "completed"
    first, second = state.steps["a"].attempts
    assert first.outcome == "failed"
    assert first.failure is not None
    assert first.failure.code == "timed_out"
    assert first.failure.message == "did not end within 1 s"
    assert first.proof is not None
    assert first.proof.gone
    assert second.outcome == "completed"
    assert _marked(mark) == []


async def test_the_deadline_of_the_whole(world: World) -> None:
    """At the workflow's timeout what runs is stopped with proof, and the execution has failed."""
    await _one(world)
    mark = _new_mark()
    steps = [shell("a", _family(mark)), noop("b", depends_on=["a"])]
    state = await world.run("deadline", steps, policies={"timeout_s": 2})
    assert state.status == "failed"
    assert state.failure is not None
    assert state.failure.code == "timeout"
    assert state.failure.message == "did not end within its timeout of 2 s"
    assert state.steps["b"].status == "cancelled"
    assert _proven(state, "a")
    assert _marked(mark) == []
