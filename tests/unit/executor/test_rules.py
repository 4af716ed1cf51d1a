"""Rules moved by several coordinators, killed in the middle of a storm."""

from __future__ import annotations

import random
from typing import Any

from shared.automation.messages import Event, EventsReceived, Saved
from shared.automation.rule import run_id
from shared.automation.specs import RuleSpec
from shared.automation.states import RuleState
from tests.simulation.virtual_time import run_virtually
from tests.unit.executor.automation_world import START_MS, World, new_world


def saved(**spec: Any) -> Saved:
    wanted = {"name": "r", "template_id": "quick", "receiver": "rc_1", **spec}
    return Saved(request_id="r1", spec=RuleSpec.model_validate(wanted))


def event(number: int) -> Event:
    return Event(id=f"e{number}", type="t", key=f"k{number % 20}", at_ms=START_MS, data={})


async def _rule(world: World, rule_id: str) -> RuleState:
    found = await world.automations.peek(rule_id)
    assert found is not None
    assert isinstance(found.state, RuleState)
    return found.state


def test_a_storm_while_coordinators_die() -> None:
    """2,000 events of 20 keys, coordinators killed in between: every event has one end, each key
    started one execution, with the id that follows from its event."""

    async def scenario(seed: int) -> None:
        rng = random.Random(seed)
        async with new_world() as world:
            await world.template("quick")
            for number in range(2):
                await world.coordinator(f"c{number}")
            await world.say("tr_1", saved(deduplicate={"window_s": 86_400}))
            for batch in range(100):
                some = tuple(event(batch * 20 + n) for n in range(20))
                await world.say("tr_1", EventsReceived(events=some))
                await world.pass_time(rng.uniform(0, 0.2))
                if batch % 20 == 7:
                    await world.kill(rng.choice(world.coordinators))
                    await world.coordinator(f"d{batch}")

            async def over() -> bool:
                state = await _rule(world, "tr_1")
                return state.counts.get("received") == 2_000 and not state.runs

            await world.until(over)
            state = await _rule(world, "tr_1")
            assert (state.counts["started"], state.counts["deduplicated"]) == (20, 1_980)
            ids = {one.execution_id for one in await world.all_executions()}
            assert ids == {run_id("tr_1", event(number)) for number in range(20)}

    for seed in range(3):
        run_virtually(scenario(seed))


def test_a_debounce_outlives_its_coordinator() -> None:
    """The wait is a durable timer: another coordinator starts what waits, once."""

    async def scenario() -> None:
        async with new_world() as world:
            await world.template("quick")
            first = await world.coordinator("c1")
            await world.say("tr_1", saved(debounce={"wait_s": 5}))
            await world.say("tr_1", EventsReceived(events=(event(1), event(2))))
            await world.pass_time(1)
            await world.kill(first)
            await world.coordinator("c2")
            await world.pass_time(20)
            state = await _rule(world, "tr_1")
            assert (state.counts["started"], state.counts["debounced"]) == (1, 1)
            (execution,) = await world.all_executions()
            assert execution.execution_id == run_id("tr_1", event(2))
            assert execution.trigger.source == "tr_1"
            assert state.recent[-1].ended == "completed"

    run_virtually(scenario())
