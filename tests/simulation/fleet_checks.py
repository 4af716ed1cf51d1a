"""What must be true of a fleet, at any point of its history."""

from __future__ import annotations

import random

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.definition import Step
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import TargetAgent, TargetsResolved
from shared.workflow.state import ExecutionState, StepState

_PENDING = StepStatus.PENDING


def check_fleet(step: Step, state: ExecutionState, event: ev.AnyEvent) -> None:
    """Batches one after the other, the canary first, none too large; nothing begins that the budget
    or a gate forbids; the counts that are kept are those that are counted."""
    whole = state.steps.get(step.id)
    if whole is None or whole.loop is None:
        return
    instances = [state.steps[f"{step.id}[{index}]"] for index in range(whole.instances)]
    if not whole.ended:
        _check_counts(whole, instances)
    if not step.target.is_fleet or not instances:
        return
    _check_batches(step, instances)
    if isinstance(event, ev.StepScheduled | ev.StepCalled) and base(event.step) == step.id:
        _check_start(step, state, event, instances)


def some_targets(rng: random.Random, event: ev.StepTargeting) -> TargetsResolved:
    """What the directory answers."""
    count = rng.choice((0, 1, 2, 3, 5, 8))
    targets = tuple(TargetAgent(name=f"t{index}", host=f"h{index}") for index in range(count))
    return TargetsResolved(
        step=event.step, asked=event.asked, targets=targets, matched=count, live=count
    )


def _check_counts(whole: StepState, instances: list[StepState]) -> None:
    loop = whole.loop
    assert loop is not None
    assert loop.completed == sum(one.status is StepStatus.COMPLETED for one in instances)
    assert loop.failed == sum(one.status is StepStatus.FAILED for one in instances)
    assert loop.ended == sum(one.ended for one in instances)
    assert loop.under_way == sum(_under_way(one) for one in instances)
    pending = [index for index, one in enumerate(instances) if one.status is _PENDING]
    assert loop.first == min(pending, default=len(instances))


def _check_batches(step: Step, instances: list[StepState]) -> None:
    under_way = {_batch(one) for one in instances if _under_way(one)}
    assert len(under_way) <= 1, f"{step.id}: batches {under_way} at once"
    sizes = step.target.batches(len(instances))
    counted = [
        sum(_batch(one) == number for one in instances) for number in range(1, 1 + len(sizes))
    ]
    assert counted == sizes, f"{step.id} has batches of {counted}"
    if step.target.canary is not None:
        assert sizes[0] < len(instances) or len(sizes) == 1


def _check_start(
    step: Step,
    state: ExecutionState,
    event: ev.StepScheduled | ev.StepCalled,
    instances: list[StepState],
) -> None:
    batch = _batch(state.steps[event.step])
    before = [one for one in instances if _batch(one) < batch]
    assert all(one.ended for one in before), f"{event.step} began before its batch"
    if event.attempt > 1 or (isinstance(event, ev.StepScheduled) and event.leg + event.offer):
        return
    failed = sum(one.status is StepStatus.FAILED for one in before)
    target = step.target
    if target.stops_on("max_failure"):
        assert failed <= target.budget(len(instances)), f"{event.step} began beyond the budget"
    if target.stops_on("first_failure"):
        assert failed == 0, f"{event.step} began after a failure"
    if target.stops_on("canary_failure") and target.canary is not None and batch > 1:
        canary = [one for one in instances if _batch(one) == 1]
        assert all(one.status is not StepStatus.FAILED for one in canary), "after a failed canary"
        assert any(one.status is StepStatus.COMPLETED for one in canary), "without a canary"
    if target.gate_before(batch) is not None:
        gate = state.gates[f"{step.id}.batch_{batch}"]
        assert gate.status.value == "granted", f"{event.step} began without approval"
        instance = state.steps[event.step].instance
        assert instance is not None
        assert instance.target in gate.targets, f"{event.step} runs where nobody approved it"


def _batch(one: StepState) -> int:
    assert one.instance is not None
    return one.instance.batch


def _under_way(one: StepState) -> bool:
    return one.status is not _PENDING and not one.ended
