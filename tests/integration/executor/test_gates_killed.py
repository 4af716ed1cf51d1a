"""Gates that wait while what holds them is killed."""

from __future__ import annotations

import asyncio

import pytest

from shared.runtime.clock import SystemClock
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.messages import Actor, ApprovalAnswered
from tests.integration.executor.world import World, noop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def _vote(world: World, execution: str, who: str, message_id: str = "") -> None:
    state = await world.state_when(execution, lambda s: "workflow" in s.gates)
    answer = ApprovalAnswered(
        approved=True,
        by=Actor(id=who),
        role="operator",
        key=f"key_{who}",
        subject_hash=state.gates["workflow"].subject_hash,
    )
    await world.journal.append(execution, answer, message_id or f"vote.{execution}.{who}")


async def test_a_gate_outlives_its_coordinator_and_the_bus(world: World) -> None:
    """With one vote given the coordinator and the bus are killed with -9; the vote and the hash are
    still there, the same person again does not count, a second one opens the gate."""
    mind = await world.executor("mind")
    policies = {"approval": {"quorum": 2, "expires_after_s": 600, "remind_every_s": 300}}
    execution = await world.start("gated", [noop("a")], policies=policies)
    await _vote(world, execution, "alice")
    before = await world.state_when(execution, lambda s: bool(s.gates["workflow"].votes))
    await mind.kill()
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.to_thread(world.servers.nats.restart)
    await mind.start()
    await _vote(world, execution, "alice", "again")
    await _vote(world, execution, "bob")
    state = await world.ended(execution)
    gate = state.gates["workflow"]
    assert state.status == "completed"
    assert gate.subject_hash == before.gates["workflow"].subject_hash
    assert [vote.by.id for vote in gate.votes] == ["alice", "bob"]
    assert gate.round == 1


async def test_a_gate_that_expires_while_nobody_looks_is_not_approved(world: World) -> None:
    """A gate whose time is over while every coordinator is dead expires when one is back; an
    approval that comes after it does not count."""
    mind = world.executors.get("mind") or await world.executor("mind")
    execution = await world.start(
        "expiring", [noop("a", approval={"expires_after_s": 3}, continue_on_failure=True)]
    )
    asked = await world.state_when(execution, lambda s: "expire-a" in s.timers)
    await mind.kill()
    left_ms = asked.timers["expire-a"].due_ms - SystemClock().now_ms()
    await asyncio.sleep(max(left_ms, 0) / 1000 + 0.5)
    await mind.start()
    state = await world.ended(execution)
    assert state.gates["a"].status is ApprovalStatus.EXPIRED
    failure = state.steps["a"].failure
    assert failure is not None
    assert failure.code == "approval_expired"
    assert state.steps["a"].attempts == ()
