"""A leg that was offered twice runs once, whichever of its tasks is claimed first."""

from __future__ import annotations

import asyncio

import pytest

from shared.adapters.nats.effects import NatsEffects
from shared.adapters.nats.publisher import Publisher
from shared.contracts import subjects
from shared.contracts.tasks import Task
from shared.workflow.events import StepScheduled, StepStarted
from shared.workflow.messages import PauseRequested
from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

COPIES = 5


async def _offer_again(world: World, execution: str, offers: range) -> None:
    """Offer the execution's step to its pool as a coordinator does that saw no agent before."""
    history = await world.history(execution)
    offers_made = [e for entry in history for e in entry.events if isinstance(e, StepScheduled)]
    scheduled = offers_made[-1]
    publisher = Publisher(world.bus, grouped=False)
    await publisher.start()
    effects = NatsEffects(world.bus, publisher)
    fields = scheduled.model_dump(exclude={"type", "offer"})
    for offer in offers:
        task = Task(execution_id=execution, template_id="twice", offer=offer, **fields)
        effects.task(subjects.pool_any(), task, again=False)
    await effects.commit()
    await publisher.close()


async def test_offers_beside_a_running_leg_start_nothing(world: World) -> None:
    """While one agent runs a leg, other agents that get further offers of it leave it alone; when
    it has ended these are settled without a trace."""
    await world.executor("one")
    await world.executor("two", role="runner")
    ledger = world.home / "ledger"
    step = shell("a", f"echo started >> {ledger}; sleep 3")
    execution = await world.start("twice", [step])
    await world.step_when(execution, "a", "running")
    await _offer_again(world, execution, range(1, 1 + COPIES))
    state = await world.ended(execution)
    assert state.status == "completed"
    assert [a.outcome for a in state.steps["a"].attempts] == ["completed"]

    async def settled() -> bool:
        return (await world.bus.jetstream.stream_info(subjects.TASKS)).state.messages == 0

    await world.until(settled, "no task is left")
    assert ledger.read_text(encoding="utf-8").splitlines() == ["started"]


async def test_a_task_in_doubt_starts_after_a_takeover(world: World) -> None:
    """A coordinator that took over partitions in which everything was acknowledged, so that it was
    delivered nothing, answers a runner that asks about a task: it may start."""
    mind = world.executors.get("one") or await world.executor("one")
    if "two" not in world.executors:
        await world.executor("two", role="runner")
    step = noop("a", required_capabilities=["nowhere"], start_timeout_s=600, on_lost="fail")
    executions = [await world.start(f"quiet{n}", [step]) for n in range(8)]
    for execution in executions:
        await world.step_when(execution, "a", "blocked")
        pause = PauseRequested(reason="quiet")
        await world.journal.append(execution, pause, f"pause.{execution}")
        await world.state_when(execution, lambda state: state.status == "paused")
    await asyncio.sleep(3)  # the last placement timers fire, and nothing follows
    await mind.stop()
    await world.executor("heir", role="coordinator")
    await world.hold({"heir": 16})
    for execution in executions:
        await _offer_again(world, execution, range(1, 2))
    for execution in executions:
        assert (await world.step_when(execution, "a", "completed")).agent == "two"


async def test_offers_that_race_start_once(world: World) -> None:
    """Of several tasks of one leg that wait at the same time for two agents, one starts."""
    if "one" not in world.executors:
        await world.executor("one")
        await world.executor("two", role="runner")
    ledger = world.home / "race"
    needs = {"required_capabilities": ["track"], "start_timeout_s": 60}
    execution = await world.start("raced", [shell("a", f"echo started >> {ledger}", **needs)])
    await world.step_when(execution, "a", "blocked")
    await _offer_again(world, execution, range(1, 1 + COPIES))
    state = await world.ended(execution)
    assert state.status == "completed"
    await asyncio.sleep(2)  # the other copies are asked about again after one second
    assert ledger.read_text(encoding="utf-8").splitlines() == ["started"]
    events = [event for entry in await world.history(execution) for event in entry.events]
    assert sum(isinstance(event, StepStarted) for event in events) == 1
