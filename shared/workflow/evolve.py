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
from shared.workflow.gate_folds import GATE_FOLDS
from shared.workflow.loop_folds import FLEET_FOLDS, count_instance
from shared.workflow.loop_state import LoopState
from shared.workflow.machines.execution import EXECUTION
from shared.workflow.machines.step import BUSY, OUTSIDE, STEP, STEP_ENDED, StepStatus
from shared.workflow.machines.timer import TIMER, TimerStatus
from shared.workflow.messages import Failure
from shared.workflow.operator_folds import EXECUTION_FOLDS, STEP_FOLDS
from shared.workflow.state import (
    AttemptRecord,
    ExecutionState,
    Slot,
    StepState,
    Stop,
    TimerState,
)
from shared.workflow.trusted import renewed
from shared.workflow.validation_events import ExecutionValidated, ExecutionValidating

Changes = dict[str, Any]
MAX_SIGNALS: Final = 100
"""Signals of an execution that are kept, the last ones."""


def evolve(state: ExecutionState | None, event: ev.AnyEvent, at_ms: int) -> ExecutionState:
    """The state after `event`, which happened at `at_ms` (epoch milliseconds)."""
    if isinstance(event, ev.ExecutionCreated):
        raise CorruptStateError("use `create` for the first event")
    if state is None:
        raise CorruptStateError(f"the first event must be execution.created, not {event.type}")
    changes = _APPLY[type(event)](state, event, at_ms)
    changes["version"] = state.version + 1
    changes["updated_at_ms"] = at_ms
    return renewed(state, changes)


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
        template_author=event.template_author,
        labels=event.labels,
        steps={step: StepState() for step in event.steps},
        open=len(event.steps),
        parent=event.parent,
        timeout_s=event.timeout_s,
        trigger=event.trigger,
        breakpoints=event.breakpoints,
        rerun=event.rerun,
        verdict=event.verdict,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def _handling(state: ExecutionState, event: ev.ExecutionHandling, at_ms: int) -> Changes:
    return _status(state, event, at_ms) | {"section": event.section}


def _status(state: ExecutionState, event: ev.AnyEvent, _at_ms: int) -> Changes:
    return {"status": EXECUTION.next(state.status, event.type)}


def _validating(state: ExecutionState, event: ExecutionValidating, at_ms: int) -> Changes:
    return _status(state, event, at_ms) | {"validating": True}


def _validated(state: ExecutionState, event: ExecutionValidated, at_ms: int) -> Changes:
    return _status(state, event, at_ms) | {
        "validating": bool(event.refused),
        "verdict": event.verdict,
    }


def _started(state: ExecutionState, event: ev.ExecutionStarted, at_ms: int) -> Changes:
    return _status(state, event, at_ms) | {"started_at_ms": at_ms}


def _failing(state: ExecutionState, event: ev.ExecutionFailing, at_ms: int) -> Changes:
    stop = Stop(kind="failure", step=event.step, failure=event.failure)
    return _status(state, event, at_ms) | {"stop": stop}


def _cancelling(state: ExecutionState, event: ev.ExecutionCancelling, at_ms: int) -> Changes:
    """A failure from before stays known: it is what a deadline then reports."""
    kind = "timeout" if event.timed_out else "cancel"
    first = state.stop or Stop(kind=kind)
    stop = renewed(first, {"kind": kind, "by": event.by, "reason": event.reason})
    stop = renewed(stop, {"drain": event.drain})
    return _status(state, event, at_ms) | {"stop": stop, "pause": None}


def _over(state: ExecutionState, event: ev.AnyEvent, at_ms: int) -> Changes:
    over = {"ended_at_ms": at_ms, "timers": {}, "pause": None}
    return _status(state, event, at_ms) | over


def _completed(
    state: ExecutionState,
    event: ev.ExecutionCompleted | ev.ExecutionCompletedWithErrors,
    at_ms: int,
) -> Changes:
    return _over(state, event, at_ms) | {"outputs": event.outputs}


def _failed(state: ExecutionState, event: ev.ExecutionFailed, at_ms: int) -> Changes:
    return _over(state, event, at_ms) | {"failure": event.failure}


def _nothing(_state: ExecutionState, _event: ev.AnyEvent, _at_ms: int) -> Changes:
    return {}


def _timer_set(state: ExecutionState, event: ev.TimerSet, _at_ms: int) -> Changes:
    TIMER.next(_timer_status(state, event.timer), event.type)
    timer = TimerState(due_ms=event.due_ms, generation=event.generation)
    return {"timers": {**state.timers, event.timer: timer}}


def _timer_cleared(state: ExecutionState, event: ev.TimerCleared, _at_ms: int) -> Changes:
    TIMER.next(_timer_status(state, event.timer), event.type)
    return {"timers": {name: t for name, t in state.timers.items() if name != event.timer}}


def _timer_status(state: ExecutionState, timer: str) -> TimerStatus:
    return TimerStatus.SET if timer in state.timers else TimerStatus.UNSET


def _step(state: ExecutionState, event: ev.StepEvent, at_ms: int) -> Changes:
    before = state.steps.get(event.step)
    if before is None:
        raise CorruptStateError(f"{event.type}: there is no step {event.step!r}")
    status = STEP.next(before.status, event.type)
    step_changes = _APPLY_TO_STEP[type(event)](before, event, at_ms)
    step_changes["status"] = status
    steps = {**state.steps, event.step: renewed(before, step_changes)}
    changes: Changes = {"steps": steps}
    if status is not before.status:
        if before.instance is not None:
            count_instance(steps, event.step, before, status)
        changes["open"] = state.open - (status in STEP_ENDED)
        changes["busy"] = state.busy + (status in BUSY) - (before.status in BUSY)
        changes["outside"] = state.outside + (status in OUTSIDE) - (before.status in OUTSIDE)
    if isinstance(event, _WITH_OUTPUT):
        changes["output_bytes"] = state.output_bytes + event.output_bytes
    elif isinstance(event, ev.StepKept):
        changes["output_bytes"] = state.output_bytes + event.kept.output_bytes
    return changes


def _signalled(state: ExecutionState, event: ev.SignalKept, _at_ms: int) -> Changes:
    return {"signals": (*state.signals, event.signal)[-MAX_SIGNALS:]}


def _slot_asked(state: ExecutionState, event: ev.SlotAsked, at_ms: int) -> Changes:
    return {"slots": {**state.slots, event.slot: Slot(key=event.key, asked_at_ms=at_ms)}}


def _slot_taken(state: ExecutionState, event: ev.SlotTaken, _at_ms: int) -> Changes:
    taken = renewed(state.slots[event.slot], {"granted": True})
    return {"slots": {**state.slots, event.slot: taken}}


def _slot_gone(state: ExecutionState, event: ev.SlotEvent, _at_ms: int) -> Changes:
    return {"slots": {name: slot for name, slot in state.slots.items() if name != event.slot}}


def _chosen(state: ExecutionState, event: ev.StepChosen, at_ms: int) -> Changes:
    """The step's own end; the signal that decided it is used up."""
    changes = _step(state, event, at_ms)
    if event.signal is not None:
        changes["signals"] = tuple(
            renewed(one, {"used": True}) if one.id == event.signal else one for one in state.signals
        )
    return changes


def _more_instances(
    state: ExecutionState, event: ev.StepExpanded | ev.StepExtended | ev.StepTargeted, at_ms: int
) -> Changes:
    """The step itself, and its new instances behind it."""
    changes = _step(state, event, at_ms)
    added = {f"{event.step}[{one.index}]": StepState(instance=one) for one in event.instances}
    changes["steps"] |= added
    changes["open"] = state.open + len(added)
    return changes


def _step_instances(
    before: StepState, event: ev.StepExpanded | ev.StepExtended, at_ms: int
) -> Changes:
    began_ms = before.started_at_ms or at_ms
    return {
        "instances": before.instances + len(event.instances),
        "started_at_ms": began_ms,
        "loop": before.loop or LoopState(),
        "plan": None,
    }


def _step_routed(_before: StepState, event: ev.StepRouted, at_ms: int) -> Changes:
    return {"output": event.output, "taken": event.taken, "ended_at_ms": at_ms}


def _step_awaiting(_before: StepState, event: ev.StepAwaiting, at_ms: int) -> Changes:
    return {"reason": ", ".join(event.signals), "started_at_ms": at_ms}


def _step_chosen(_before: StepState, event: ev.StepChosen, at_ms: int) -> Changes:
    return {"output": event.output, "taken": event.taken, "reason": "", "ended_at_ms": at_ms}


def _step_called(before: StepState, event: ev.StepCalled, at_ms: int) -> Changes:
    return {
        "attempt": event.attempt,
        "child": event.child,
        "begun_at_ms": before.begun_at_ms or at_ms,
        "scheduled_at_ms": at_ms,
        "started_at_ms": at_ms,
    }


def _step_scheduled(before: StepState, event: ev.StepScheduled, at_ms: int) -> Changes:
    """The start timeout runs on while a step is blocked and offered again."""
    was_blocked = before.status is StepStatus.BLOCKED
    return {
        "attempt": event.attempt,
        "leg": event.leg,
        "offer": event.offer,
        "agent": "",
        "reason": "",
        "token": event.token,
        "woken": before.woken if event.offer else None,
        "scheduled_at_ms": before.scheduled_at_ms if was_blocked else at_ms,
    }


def _step_blocked(_before: StepState, event: ev.StepBlocked, _at_ms: int) -> Changes:
    return {"reason": event.reason}


def _step_started(before: StepState, event: ev.StepStarted, at_ms: int) -> Changes:
    # A later leg goes on with an attempt that began before it waited.
    began_ms = before.started_at_ms if event.leg else at_ms
    return {
        "agent": event.agent,
        "started_at_ms": began_ms,
        "begun_at_ms": before.begun_at_ms or at_ms,
        "ran_on": event.agent,
        "fence": event.fence,
    }


def _step_deferred(_before: StepState, event: ev.StepDeferred, _at_ms: int) -> Changes:
    waits: Changes = {"token": event.token, "output": event.output, "hurried": False}
    return waits | ({} if event.captured is None else {"captured": event.captured})


def _step_woken(_before: StepState, event: ev.StepWoken, _at_ms: int) -> Changes:
    return {"woken": event.token}


def _step_skipped(_before: StepState, event: ev.StepSkipped, at_ms: int) -> Changes:
    return {
        "reason": event.reason,
        "ended_at_ms": at_ms,
        "dead": event.dead,
        "taken": event.taken,
    }


def _step_unchanged(_before: StepState, _event: ev.StepEvent, _at_ms: int) -> Changes:
    return {}


def _step_completed(before: StepState, event: ev.StepCompleted, at_ms: int) -> Changes:
    ended = {"output": event.output, "failure": None, "ended_at_ms": at_ms}
    return _attempt_ended(before, event, _told(before, "completed"), None) | ended


def _step_failed(before: StepState, event: ev.StepFailed, at_ms: int) -> Changes:
    ended = {"output": event.output, "failure": event.failure, "ended_at_ms": at_ms}
    changes = _attempt_ended(before, event, _told(before, "failed"), event.failure) | ended
    changes["tolerated"] = event.tolerated
    return changes


def _step_retrying(before: StepState, event: ev.StepRetrying, _at_ms: int) -> Changes:
    return _attempt_ended(before, event, "failed", event.failure) | {"failure": event.failure}


def _step_repeating(before: StepState, event: ev.StepRepeating, _at_ms: int) -> Changes:
    again = {"output": event.output, "rounds": before.rounds + 1}
    return _attempt_ended(before, event, "completed", None) | again


def _step_lost(before: StepState, event: ev.StepLost, _at_ms: int) -> Changes:
    return _attempt_ended(before, event, "lost", None) | {"reason": event.reason}


def _step_cancelled(before: StepState, event: ev.StepCancelled, at_ms: int) -> Changes:
    ended = {"reason": event.reason, "ended_at_ms": at_ms}
    return _attempt_ended(before, event, "cancelled", None) | ended


def _told(before: StepState, outcome: str) -> str:
    """An attempt that was under way when a person said what became of the step was cancelled."""
    return outcome if before.mark is None else "cancelled"


def _attempt_ended(
    before: StepState, event: ev.StepEnded, outcome: str, failure: Failure | None
) -> Changes:
    """The record of the attempt; one that is recorded (as lost, or to be retried) stays so."""
    agent = event.agent or before.agent
    changes: Changes = {"agent": agent, "token": None, "woken": None, "reason": ""}
    if event.captured is not None:
        changes["captured"] = event.captured
    if before.hurried or before.plan is not None:
        changes |= {"hurried": False, "plan": before.plan if _goes_on(event) else None}
    if before.status not in _RECORDED:
        record = AttemptRecord(
            number=event.attempt,
            outcome=outcome,
            agent=agent,
            started_at_ms=event.started_at_ms,
            finished_at_ms=event.finished_at_ms,
            failure=failure,
            proof=event.proof,
        )
        changes["attempts"] = (*before.attempts, record)
    return changes


def _goes_on(event: ev.StepEnded) -> bool:
    """The attempt ended, but not its step."""
    return isinstance(event, ev.StepRetrying | ev.StepRepeating | ev.StepLost)


_RECORDED: Final = frozenset(
    {StepStatus.PENDING, StepStatus.RETRYING, StepStatus.LOST, StepStatus.EXPANDED}
)
"""Before these ends there is no attempt under way whose outcome is still to be recorded."""

_WITH_OUTPUT: Final = (ev.StepCompleted, ev.StepFailed, ev.StepChosen)

_APPLY_TO_STEP: Final[Mapping[type, Callable[[StepState, Any, int], Changes]]] = {
    ev.StepScheduled: _step_scheduled,
    ev.StepBlocked: _step_blocked,
    ev.StepStarted: _step_started,
    ev.StepDeferred: _step_deferred,
    ev.StepWoken: _step_woken,
    ev.StepCompleted: _step_completed,
    ev.StepFailed: _step_failed,
    ev.StepRetrying: _step_retrying,
    ev.StepLost: _step_lost,
    ev.StepSkipped: _step_skipped,
    ev.StepStopping: _step_unchanged,
    ev.StepRevoked: _step_unchanged,
    ev.StepCancelled: _step_cancelled,
    ev.StepRepeating: _step_repeating,
    ev.StepExpanded: _step_instances,
    ev.StepExtended: _step_instances,
    ev.StepRouted: _step_routed,
    ev.StepAwaiting: _step_awaiting,
    ev.StepChosen: _step_chosen,
    ev.StepCalled: _step_called,
    ev.StepRelayed: _step_unchanged,
    ev.StepRecalled: _step_unchanged,
    **FLEET_FOLDS,
    **STEP_FOLDS,
}

_APPLY: Final[Mapping[type, Callable[[ExecutionState, Any, int], Changes]]] = {
    ExecutionValidating: _validating,
    ExecutionValidated: _validated,
    ev.ExecutionStarted: _started,
    ev.ExecutionWaiting: _status,
    ev.ExecutionContinued: _status,
    **EXECUTION_FOLDS,
    ev.ExecutionFailing: _failing,
    ev.ExecutionCancelling: _cancelling,
    ev.ExecutionCompleted: _completed,
    ev.ExecutionCompletedWithErrors: _completed,
    ev.ExecutionFailed: _failed,
    ev.ExecutionCancelled: _over,
    **GATE_FOLDS,
    ev.NotificationRaised: _nothing,
    ev.TimerSet: _timer_set,
    ev.TimerCleared: _timer_cleared,
    ev.ExecutionHandling: _handling,
    ev.RegionCancelled: _nothing,
    **dict.fromkeys(_APPLY_TO_STEP, _step),
    ev.StepExpanded: _more_instances,
    ev.StepExtended: _more_instances,
    ev.StepTargeted: _more_instances,
    ev.SignalKept: _signalled,
    ev.SlotAsked: _slot_asked,
    ev.SlotTaken: _slot_taken,
    ev.SlotDenied: _slot_gone,
    ev.SlotReleased: _slot_gone,
    ev.StepChosen: _chosen,
}
