"""What was scheduled and is cancelled is withdrawn, and nothing that came after it."""

from __future__ import annotations

import pytest

from services.executor.coordinator.translation import Translator
from shared.contracts.agents import AgentRecord
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.workflow.messages import CancelRequested
from shared.workflow.state import ExecutionState
from tests.unit.workflow.scenario import Run, step

AGENT = AgentRecord(
    name="a1", host="a1", version="1", slots=4, running=0, load=0.0, started_at_ms=0, seen_at_ms=0
)


async def carried_out(bus: MemoryBus, again: bool) -> None:
    """A cancellation of an execution of which a step was scheduled."""
    run = Run(step("a"))
    run.request()
    before: ExecutionState = run.state
    run.tell(CancelRequested())
    effects = MemoryEffects(bus)
    translator = Translator(effects, lambda: [AGENT])
    translator.carry_out(before, run.state, run.events, 1, again=again)
    await effects.commit()


def later_task(bus: MemoryBus, execution_id: str) -> None:
    """The task of a step that was scheduled after the cancellation, as `finally` is."""
    task = Task(
        execution_id=execution_id,
        template_id="t",
        step="later",
        attempt=1,
        leg=0,
        command="noop",
        parameters={},
        timeout_s=1,
    )
    bus.tasks.put(
        "any._", execution_id, task.model_dump_json().encode(), task.offer_id, resent=False
    )


@pytest.mark.parametrize("again", [False, True])
async def test_a_repeated_cancellation_takes_no_later_task(again: bool) -> None:
    """A coordinator that applies it once more, after a crash, finds tasks of later steps in the
    queue; what it would send again of them is dropped as sent twice, so they must stay."""
    bus = MemoryBus()
    later_task(bus, "x1")
    await carried_out(bus, again)
    left = [task.message_id for task in bus.tasks._tasks]
    assert bool(left) is again
