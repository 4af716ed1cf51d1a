"""What was scheduled and is cancelled is withdrawn, and nothing that came after it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from services.executor.coordinator.translation import Translator
from shared.contracts.agents import AgentRecord
from shared.contracts.tasks import Task
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.effects import MemoryEffects
from shared.workflow.events import AnyEvent
from shared.workflow.messages import (
    AttemptFinished,
    CancelRequested,
    Failure,
    JournalMessage,
    RunNowRequested,
)
from shared.workflow.state import ExecutionState
from tests.unit.workflow.scenario import START_MS, Run, step

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


@pytest.mark.parametrize("again", [False, True])
async def test_a_repeated_clearing_takes_no_later_timer(again: bool) -> None:
    """A timer that was set anew after it was cleared stays when both are carried out once more,
    after a crash: what is sent again is dropped as sent twice."""
    bus = MemoryBus(ManualClock(START_MS))
    run = Run(step("a", retry={"max_attempts": 3, "delay_s": 60}))
    run.request()
    translator_effects = MemoryEffects(bus)
    translator = Translator(translator_effects, lambda: [AGENT])

    async def told(message: JournalMessage, *, repeated: bool) -> None:
        before = run.state
        run.tell(message)
        turns.append((before, run.state, run.events))
        translator.carry_out(before, run.state, run.events, 1, again=repeated)
        await translator_effects.commit()

    turns: list[tuple[ExecutionState, ExecutionState, Sequence[AnyEvent]]] = []
    run.start("a")
    failure = Failure(code="x", message="no")
    failed = {"step": "a", "agent": "a1", "outcome": "failed", "failure": failure}
    await told(AttemptFinished.model_validate({**failed, "attempt": 1}), repeated=False)
    await told(RunNowRequested(step="a", attempt=1, leg=0), repeated=False)
    run.start("a")
    await told(AttemptFinished.model_validate({**failed, "attempt": 2}), repeated=False)
    assert bus.journal.timers == 1
    if again:  # the coordinator died, and another one applies all of it once more
        for before, after, events in turns:
            translator.carry_out(before, after, events, 1, again=True)
        await translator_effects.commit()
    assert bus.journal.timers == 1
