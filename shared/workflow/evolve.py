"""`evolve(state, event, at_ms) -> state`: what an event means for the state. It decides nothing.

The law:

* The state is the fold of its events, and of nothing else.
* Every change of a status goes through its machine's table; an undefined one raises
  `UndefinedTransitionError`, because then state and history do not belong together.
* The counts (`open`, `busy`, `outside`) follow from the statuses and are kept with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.errors import CorruptStateError
from shared.workflow.machines.approval import APPROVAL
from shared.workflow.machines.execution import ENDED, EXECUTION
from shared.workflow.machines.step import BUSY, OUTSIDE, STEP, STEP_ENDED, StepStatus
from shared.workflow.machines.timer import TIMER, TimerStatus
from shared.workflow.state import AttemptRecord, ExecutionState, StepState, Stop, TimerState

Changes = dict[str, Any]


def evolve(state: ExecutionState | None, event: ev.AnyEvent, at_ms: int) -> ExecutionState:
    """The state after `event`, which happened at `at_ms` (epoch milliseconds)."""
    if isinstance(event, ev.ExecutionCreated):
        raise CorruptStateError("use `create` for the first event")
    if state is None:
        raise CorruptStateError(f"the first event must be execution.created, not {event.type}")
    category = event.type.partition(".")[0]
    changes = _APPLY[category](state, event, at_ms)
    changes["version"] = state.version + 1
    changes["updated_at_ms"] = at_ms
    return state.model_copy(update=changes)


def create(execution_id: str, event: ev.ExecutionCreated, at_ms: int) -> ExecutionState:
    """The state after an execution's first event."""
    return ExecutionState(
        execution_id=execution_id,
        template_id=event.template_id,
        template_version=event.template_version,
        category=event.category,
        version=1,
        parameters=event.parameters,
        requested_by=event.requested_by,
        labels=event.labels,
        steps={step: StepState() for step in event.steps},
        open=len(event.steps),
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def _execution(state: ExecutionState, event: ev.AnyEvent, at_ms: int) -> Changes:
    status = EXECUTION.next(state.status, event.type)
    changes: Changes = {"status": status}
    if status in ENDED:
        changes |= {"ended_at_ms": at_ms, "timers": {}}
    match event:
        case ev.ExecutionStarted():
            changes["started_at_ms"] = at_ms
        case ev.ExecutionFailing():
            changes["stop"] = Stop(kind="failure", step=event.step, failure=event.failure)
        case ev.ExecutionCancelling():
            kind = "timeout" if event.timed_out else "cancel"
            changes["stop"] = Stop(kind=kind, by=event.by, reason=event.reason)
        case ev.ExecutionCompleted() | ev.ExecutionCompletedWithErrors():
            changes["outputs"] = event.outputs
        case ev.ExecutionFailed():
            changes["failure"] = event.failure
        case _:
            pass
    return changes


def _approval(state: ExecutionState, event: ev.AnyEvent, _at_ms: int) -> Changes:
    changes: Changes = {
        "status": EXECUTION.next(state.status, event.type),
        "approval": APPROVAL.next(state.approval, event.type),
    }
    if isinstance(event, ev.ApprovalGranted | ev.ApprovalRejected):
        changes["approved_by"] = event.by
    return changes


def _notification(_state: ExecutionState, _event: ev.AnyEvent, _at_ms: int) -> Changes:
    return {}


def _timer(state: ExecutionState, event: ev.AnyEvent, _at_ms: int) -> Changes:
    if not isinstance(event, ev.TimerSet | ev.TimerCleared):
        raise CorruptStateError(f"not a timer's event: {event.type}")
    current = TimerStatus.SET if event.timer in state.timers else TimerStatus.UNSET
    TIMER.next(current, event.type)
    timers = dict(state.timers)
    if isinstance(event, ev.TimerSet):
        timers[event.timer] = TimerState(due_ms=event.due_ms, generation=event.generation)
    else:
        del timers[event.timer]
    return {"timers": timers}


def _step(state: ExecutionState, event: ev.AnyEvent, at_ms: int) -> Changes:
    if not isinstance(event, ev.StepEvent):
        raise CorruptStateError(f"not a step's event: {event.type}")
    before = state.steps.get(event.step)
    if before is None:
        raise CorruptStateError(f"{event.type}: there is no step {event.step!r}")
    status = STEP.next(before.status, event.type)
    after = before.model_copy(update={"status": status} | _step_changes(before, event, at_ms))
    changes: Changes = {"steps": {**state.steps, event.step: after}}
    if status is not before.status:
        changes |= _counts(state, before.status, status)
    if isinstance(event, ev.StepCompleted):
        changes["output_bytes"] = state.output_bytes + event.output_bytes
    return changes


def _counts(state: ExecutionState, before: StepStatus, after: StepStatus) -> Changes:
    return {
        "open": state.open - (after in STEP_ENDED),
        "busy": state.busy + (after in BUSY) - (before in BUSY),
        "outside": state.outside + (after in OUTSIDE) - (before in OUTSIDE),
    }


def _step_changes(before: StepState, event: ev.StepEvent, at_ms: int) -> Changes:
    match event:
        case ev.StepScheduled():
            return _scheduled(before, event, at_ms)
        case ev.StepBlocked():
            return {"reason": event.reason}
        case ev.StepStarted():
            return {"agent": event.agent, "started_at_ms": at_ms}
        case ev.StepDeferred():
            return {"token": event.token, "output": event.output}
        case ev.StepSkipped():
            return {"reason": event.reason, "ended_at_ms": at_ms}
        case ev.StepEnded():
            return _ended(before, event, at_ms)
        case _:
            return {}


def _scheduled(before: StepState, event: ev.StepScheduled, at_ms: int) -> Changes:
    changes: Changes = {
        "attempt": event.attempt,
        "leg": event.leg,
        "agent": "",
        "reason": "",
        "token": event.token,
    }
    if before.status is not StepStatus.BLOCKED:
        changes["scheduled_at_ms"] = at_ms
    return changes


def _ended(before: StepState, event: ev.StepEnded, at_ms: int) -> Changes:
    changes: Changes = {"agent": event.agent or before.agent, "token": None}
    failure = getattr(event, "failure", None)
    already_lost = before.status is StepStatus.LOST
    if event.attempt > 0 and not already_lost:
        changes["attempts"] = (*before.attempts, _record(before, event))
    if isinstance(event, ev.StepCompleted):
        changes |= {"output": event.output, "failure": None}
    elif isinstance(event, ev.StepFailed):
        changes |= {"output": event.output, "failure": failure, "tolerated": event.tolerated}
    elif failure is not None:
        changes["failure"] = failure
    if not isinstance(event, ev.StepRetrying | ev.StepLost):
        changes["ended_at_ms"] = at_ms
    return changes


_OUTCOMES: Final[Mapping[str, str]] = {
    "step.completed": "completed",
    "step.failed": "failed",
    "step.retrying": "failed",
    "step.lost": "lost",
    "step.cancelled": "cancelled",
}


def _record(before: StepState, event: ev.StepEnded) -> AttemptRecord:
    return AttemptRecord(
        number=event.attempt,
        outcome=_OUTCOMES[event.type],
        agent=event.agent or before.agent,
        started_at_ms=event.started_at_ms,
        finished_at_ms=event.finished_at_ms,
        failure=getattr(event, "failure", None),
        proof=event.proof,
    )


_APPLY: Final[Mapping[str, Callable[[ExecutionState, ev.AnyEvent, int], Changes]]] = {
    "execution": _execution,
    "approval": _approval,
    "notification": _notification,
    "step": _step,
    "timer": _timer,
}
