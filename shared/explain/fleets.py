"""What a loop or a fleet waits for: its instances, its targets, the pause between two batches."""

from __future__ import annotations

from typing import Any

from shared.contracts.api.explain import Awaited, Severity
from shared.explain.picture import Picture
from shared.explain.wording import span
from shared.workflow.loop_state import FleetState, LoopState
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.waves import BATCH_TIMER

Fields = dict[str, Any]


def loop_fields(picture: Picture, state: ExecutionState, name: str, step: StepState) -> Fields:
    """The finding about a step whose instances are under way, as fields."""
    common: Fields = {
        "since_ms": step.started_at_ms or step.scheduled_at_ms,
        "action": f"hv show {state.execution_id}",
    }
    loop = step.loop
    if loop is None or loop.fleet is None:
        return common | _loop(picture, name, step)
    if not loop.fleet.batches:
        return common | _asking(name)
    timer = state.timers.get(f"{BATCH_TIMER}-{name}")
    if timer is not None:
        return common | _pausing(picture, name, loop.fleet, timer.due_ms)
    return common | _rolling(state, name, step, loop, loop.fleet)


def _loop(picture: Picture, name: str, step: StepState) -> Fields:
    ended = step.loop.ended if step.loop is not None else 0
    foreach = picture.program.step(name).step.foreach if picture.program is not None else None
    cap = f", at most {foreach.concurrency} at a time" if foreach is not None else ""
    return {
        "cause": "loop",
        "severity": Severity.FOLLOWS,
        "says": f"{name} is a loop: {ended} of {step.instances} instances have ended{cap}.",
        "waits_for": Awaited(kind="step", name=f"{name}[…]"),
    }


def _asking(name: str) -> Fields:
    return {
        "cause": "targets_asked",
        "severity": Severity.WAITS,
        "says": f"{name} has asked which agents it is to run on.",
        "waits_for": Awaited(kind="coordinator", name=name, message="targets_resolved"),
        "normally": "The coordinator answers within milliseconds.",
    }


def _pausing(picture: Picture, name: str, fleet: FleetState, due_ms: int) -> Fields:
    left = span(max(due_ms - picture.now_ms, 0))
    return {
        "cause": "batch_pause",
        "severity": Severity.WAITS,
        "says": f"{name} pauses after batch {fleet.batch} of {fleet.batches}, for {left} more.",
        "waits_for": Awaited(kind="timer", name=f"{BATCH_TIMER}-{name}", message="timer_fired"),
        "due_ms": due_ms,
        "normally": "The next batch begins then.",
    }


def _rolling(
    state: ExecutionState, name: str, step: StepState, loop: LoopState, fleet: FleetState
) -> Fields:
    where = f"batch {fleet.batch} of {fleet.batches}" if fleet.batch else "nothing has begun"
    stopped = f"; {fleet.stopped.message}" if fleet.stopped is not None else ""
    return {
        "cause": "fleet",
        "severity": Severity.FOLLOWS,
        "says": f"{name} runs on a fleet, {where}: {loop.ended} of {step.instances} targets have "
        f"ended, {loop.failed} failed{stopped}.",
        "waits_for": Awaited(kind="step", name=f"{name}[…]"),
        "normally": "The next batch begins when everything of this one has ended.",
        "action": f"hv targets --of {state.execution_id}",
    }
