"""What the events of operators mean for the state: marks, breakpoints, what a re-run keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.machines.execution import EXECUTION
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState, Pause, StepState
from shared.workflow.undo_folds import UNDO_FOLDS

Changes = dict[str, Any]


def _breakpoints(state: ExecutionState, event: ev.BreakpointsChanged, _at_ms: int) -> Changes:
    return {"status": EXECUTION.next(state.status, event.type), "breakpoints": event.breakpoints}


def _paused(state: ExecutionState, event: ev.ExecutionPaused, _at_ms: int) -> Changes:
    """The breakpoint that did it is used up."""
    return {
        "status": EXECUTION.next(state.status, event.type),
        "pause": Pause(number=state.version + 1, by=event.by, reason=event.reason, step=event.step),
        "breakpoints": tuple(name for name in state.breakpoints if name != event.step),
    }


def _resumed(state: ExecutionState, event: ev.ExecutionResumed, _at_ms: int) -> Changes:
    return {"status": EXECUTION.next(state.status, event.type), "pause": None}


def _marked(_before: StepState, event: ev.StepMarked, _at_ms: int) -> Changes:
    return {"mark": event.mark}


def _mark_voided(_before: StepState, _event: ev.StepMarkVoided, _at_ms: int) -> Changes:
    return {"mark": None}


def _hurried(before: StepState, _event: ev.StepHurried, _at_ms: int) -> Changes:
    return {"hurried": before.status is StepStatus.WAITING}


def _kept(_before: StepState, event: ev.StepKept | ev.StepFailureKept, _at_ms: int) -> Changes:
    kept = event.kept
    return {
        "attempt": kept.attempt,
        "agent": kept.agent,
        "started_at_ms": kept.started_at_ms,
        "ended_at_ms": kept.ended_at_ms,
        "output": kept.output,
        "failure": kept.failure,
        "tolerated": kept.status == "failed",
        "attempts": kept.attempts,
        "taken": kept.taken,
        "child": kept.child,
        "rounds": kept.rounds,
        "mark": kept.mark,
        "kept_from": kept.origin,
    }


def _planned(_before: StepState, event: ev.StepPlanned, _at_ms: int) -> Changes:
    return {"plan": event.plan}


STEP_FOLDS: Final[Mapping[type, Callable[[StepState, Any, int], Changes]]] = {
    ev.StepMarked: _marked,
    ev.StepMarkVoided: _mark_voided,
    ev.StepHurried: _hurried,
    ev.StepKept: _kept,
    ev.StepFailureKept: _kept,
    ev.StepPlanned: _planned,
}
"""For `evolve`: what each of these means for the step."""

EXECUTION_FOLDS: Final[Mapping[type, Callable[[ExecutionState, Any, int], Changes]]] = {
    ev.BreakpointsChanged: _breakpoints,
    ev.ExecutionPaused: _paused,
    ev.ExecutionResumed: _resumed,
    **UNDO_FOLDS,
}
"""For `evolve`: what each of these means for the execution."""
