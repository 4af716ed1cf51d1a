"""What was cancelled, given up or superseded never begins later, whoever was slow or stopped."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.executor.runner.grant import RELY_S
from shared.contracts import subjects
from shared.workflow.events import ExecutionCancelling, StepRevoked, StepStarted
from shared.workflow.messages import AttemptStarted
from tests.integration.executor.processes import ExecutorProcess
from tests.integration.executor.world import Steps, World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

EXECUTIONS = 120
WIDTH = 4
LATEST_CANCEL_S = 0.15
SCRIPT = 'printf "%s %s\\n" "$NAME" "$STEP" >> "$BOOK"; sleep 0.2'


async def _start(world: World) -> tuple[ExecutorProcess, ExecutorProcess]:
    """One that decides and one that runs."""
    if "mind" not in world.executors:
        await world.executor("mind", role="coordinator")
        await world.executor("hands", role="runner", agent_slots=32)
    return world.executors["mind"], world.executors["hands"]


def _steps(world: World, count: int = 1) -> Steps:
    book = world.home / "fencing-book"
    env = {"NAME": "${{ execution.id }}", "BOOK": str(book)}
    return [
        shell(f"s{n}", SCRIPT, parameters={"env": {**env, "STEP": f"s{n}"}}) for n in range(count)
    ]


def _begun(world: World, execution: str) -> set[str]:
    """The steps of an execution whose command has begun."""
    book = world.home / "fencing-book"
    lines = book.read_text(encoding="utf-8").splitlines() if book.exists() else []
    return {step for name, step in map(str.split, lines) if name == execution}


async def _events(world: World, execution: str) -> list[tuple[int, Any]]:
    """Everything that was decided, with the journal sequence that led to it."""
    history = await world.history(execution)
    return [(entry.seq, event) for entry in history for event in entry.events]


@asynccontextmanager
async def _standing_still(process: ExecutorProcess) -> AsyncIterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def _claimed(world: World, execution: str) -> bool:
    """Whether the journal holds a claim, decided or not."""
    subject = subjects.journal(subjects.partition_of(execution), execution)
    stream = subjects.journal_stream(subjects.partition_of(execution))
    last = await world.bus.jetstream.get_last_msg(stream, subject)
    return AttemptStarted(step="s0", attempt=1).type.encode() in (last.data or b"")


async def _claim_and_stand_still(world: World, template: str, steps: Steps) -> str:
    """An execution whose step `hands` claimed, which stands still since, and that was granted."""
    mind, hands = await _start(world)
    os.kill(hands.pid, signal.SIGSTOP)
    execution = await world.start(template, steps)
    await world.step_when(execution, "s0", "scheduled")
    async with _standing_still(mind):
        os.kill(hands.pid, signal.SIGCONT)
        await world.until(lambda: _claimed(world, execution), "the claim is in the journal")
        os.kill(hands.pid, signal.SIGSTOP)
    await world.step_when(execution, "s0", "running")
    return execution


async def _settled(world: World) -> None:
    """No task is left: whatever could have been started has been, or never will be."""

    async def empty() -> bool:
        return (await world.bus.jetstream.stream_info(subjects.TASKS)).state.messages == 0

    await world.until(empty, "no task is left")


async def test_of_many_cancels_that_race_with_starts_each_comes_first_or_last(
    world: World,
) -> None:
    """When hundreds of steps start while their executions are cancelled, a command has begun only
    where its claim stands before the cancellation in the journal; what crossed it never begins."""
    await _start(world)
    template = await world.template("raced", _steps(world, WIDTH))
    rng = random.Random(7)

    async def start_and_cancel() -> str:
        execution = await world.request(template)
        await asyncio.sleep(rng.random() * LATEST_CANCEL_S)
        await world.cancel(execution)
        return execution

    executions: list[str] = []
    for _ in range(EXECUTIONS // 10):
        executions += await asyncio.gather(*(start_and_cancel() for _ in range(10)))
    states = await world.all_ended(executions)
    await _settled(world)
    begun = 0
    for state in states:
        events = await _events(world, state.execution_id)
        cancelled_at = next((s for s, e in events if isinstance(e, ExecutionCancelling)), None)
        started = {e.step: seq for seq, e in events if isinstance(e, StepStarted)}
        for step in _begun(world, state.execution_id):
            begun += 1
            assert step in started, f"{step} of {state.execution_id} began and was never granted"
            assert cancelled_at is None or started[step] < cancelled_at
        for step in started:
            assert state.steps[step].attempts[-1].outcome in ("completed", "cancelled")
    assert 0 < begun < EXECUTIONS * WIDTH, "the cancels came all too early, or all too late"


async def test_a_claim_behind_a_cancellation_starts_nothing(world: World) -> None:
    """A runner that claims while the coordinator has not read the cancellation yet waits for the
    decision, is refused, and runs nothing; the history names it."""
    mind, hands = await _start(world)
    async with _standing_still(hands):
        execution = await world.start("behind", _steps(world))
        await world.step_when(execution, "s0", "scheduled")
        async with _standing_still(mind):
            await world.cancel(execution)
            os.kill(hands.pid, signal.SIGCONT)
            await world.until(lambda: _claimed(world, execution), "the claim is in the journal")
            await asyncio.sleep(1)
            assert _begun(world, execution) == set()
        state = await world.ended(execution)
        await _settled(world)
    assert state.status == "cancelled"
    assert _begun(world, execution) == set()
    revoked = [e.agent for _, e in await _events(world, execution) if isinstance(e, StepRevoked)]
    assert revoked == ["hands"]


async def test_an_agent_that_stood_still_proves_that_nothing_ran(world: World) -> None:
    """A runner that is stopped between its claim and the start, for longer than a grant is good,
    does not begin what was cancelled meanwhile, and its report says that nothing was run."""
    _, hands = await _start(world)
    execution = await _claim_and_stand_still(world, "stood_still", _steps(world))
    await world.cancel(execution)
    await world.step_when(execution, "s0", "stopping")
    await asyncio.sleep(RELY_S)
    os.kill(hands.pid, signal.SIGCONT)
    state = await world.ended(execution)
    proof = state.steps["s0"].attempts[-1].proof
    assert state.status == "cancelled"
    assert proof is not None
    assert proof.gone
    assert "nothing was run" in proof.reason
    assert _begun(world, execution) == set()


async def test_what_was_given_up_is_not_begun_by_its_old_owner(world: World) -> None:
    """A runner that is stopped between its claim and the start until another agent has reported the
    attempt as lost leaves it alone when it goes on; only the new attempt runs."""
    _, hands = await _start(world)
    steps = _steps(world)
    steps[0]["on_lost"] = "rerun"
    execution = await _claim_and_stand_still(world, "given_up", steps)
    await world.executor("spare", role="runner")
    state = await world.ended(execution)
    assert [(a.outcome, a.agent) for a in state.steps["s0"].attempts] == [
        ("lost", "hands"),
        ("completed", "spare"),
    ]
    os.kill(hands.pid, signal.SIGCONT)
    await _settled(world)
    await asyncio.sleep(2)
    book = (world.home / "fencing-book").read_text(encoding="utf-8")
    assert book.count(execution) == 1
    tokens = [e.fence for _, e in await _events(world, execution) if isinstance(e, StepStarted)]
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 2
