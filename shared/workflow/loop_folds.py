"""What the events of loops and fleets mean for the step that they are instances of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.errors import present
from shared.workflow.loop_state import FleetState, LoopState
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import StepState
from shared.workflow.trusted import renewed

Changes = dict[str, Any]
Fold = Callable[[StepState, Any, int], Changes]


def count_instance(
    steps: dict[str, StepState], key: str, before: StepState, status: StepStatus
) -> None:
    """Keep the counts of a loop, in these `steps`, of which one instance has this status now."""
    name = base(key)
    whole = steps[name]
    if whole.ended:
        return  # its join was met, and it stays as it was then
    loop = present(whole.loop, "loop")
    first = 0 if status is StepStatus.PENDING else loop.first
    while first < whole.instances and steps[f"{name}[{first}]"].status is not StepStatus.PENDING:
        first += 1
    counted = loop.counting(before.status, status, first)
    steps[name] = renewed(whole, {"loop": counted})


def _targeting(_before: StepState, event: ev.StepTargeting, at_ms: int) -> Changes:
    return {"started_at_ms": at_ms, "loop": LoopState(fleet=FleetState(asked=event.asked))}


def _targeted(before: StepState, event: ev.StepTargeted, _at_ms: int) -> Changes:
    known = {"batches": event.batches, "canaries": event.canaries}
    return _fleet(before, known) | {"instances": len(event.instances), "plan": None}


def _batch_started(before: StepState, event: ev.StepBatchStarted, _at_ms: int) -> Changes:
    return _fleet(before, {"batch": event.batch})


def _batch_ended(before: StepState, event: ev.StepBatchEnded, _at_ms: int) -> Changes:
    return _fleet(before, {"over": event.batch})


def _stopped(before: StepState, event: ev.StepFleetStopped, _at_ms: int) -> Changes:
    return _fleet(before, {"stopped": event.failure})


def _fleet(before: StepState, changes: Changes) -> Changes:
    loop = present(before.loop, "fleet")
    fleet = renewed(present(loop.fleet, "fleet"), changes)
    return {"loop": renewed(loop, {"fleet": fleet})}


FLEET_FOLDS: Final[Mapping[type, Fold]] = {
    ev.StepTargeting: _targeting,
    ev.StepTargeted: _targeted,
    ev.StepBatchStarted: _batch_started,
    ev.StepBatchEnded: _batch_ended,
    ev.StepFleetStopped: _stopped,
}
