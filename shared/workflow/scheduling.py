"""What may start, and what follows when nothing moves any more.

* A step is ready when every step it depends on has ended, whichever way: completed, skipped, or
  failed where failure is tolerated. (A failure that is not tolerated stops all scheduling.)
* A ready step whose `when` is false is skipped; that may make others ready.
* What cannot be rendered fails the step with `expression_error`; it is never started half-rendered.
* `settle` closes every turn: start what is ready, end what is over, say `waiting` when only
  something outside can move the execution.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.workflow import events as ev
from shared.workflow.binding import bind
from shared.workflow.definition import OnLost
from shared.workflow.ending import end_if_over
from shared.workflow.errors import ExpressionError
from shared.workflow.failing import fail_for_good
from shared.workflow.gates import holds, is_asking, open_gates, tend
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Failure
from shared.workflow.turn import Turn


def settle(turn: Turn) -> None:
    """Close a turn: see the module's law."""
    tend(turn)
    advance(turn)
    end_if_over(turn)
    if not turn.state.ended:
        _say_whether_waiting(turn)


def advance(turn: Turn) -> None:
    """Start or skip what became ready through the steps that ended in this turn."""
    while turn.ended_steps:
        ended = turn.ended_steps.pop(0)
        start_ready(turn, turn.program.graph.dependents[ended])


def start_ready(turn: Turn, steps: Iterable[str]) -> None:
    """Start or skip those of `steps` that are pending and ready, if anything may start now."""
    for step_id in steps:
        if not may_start(turn):
            return
        if turn.step(step_id).status is StepStatus.PENDING and _is_ready(turn, step_id):
            _start_or_skip(turn, step_id)


def offer_again(turn: Turn, step_id: str) -> None:
    """Offer the same leg to whoever fits now; a claim of an earlier offer still counts."""
    step = turn.step(step_id)
    schedule_attempt(turn, step_id, step.attempt, step.leg, step.offer + 1)


def schedule_attempt(turn: Turn, step_id: str, attempt: int, leg: int = 0, offer: int = 0) -> None:
    """Schedule one leg of an attempt, or fail the step if it cannot be rendered.

    A new attempt that a gate holds back is not scheduled: it is when the gate is granted.
    """
    step = turn.step(step_id)
    compiled = turn.compiled(step_id)
    try:
        if leg == 0 and offer == 0 and holds(turn, step_id):
            return
        data = bind((*compiled.parameters.needs, *compiled.host.needs), turn.state)
        parameters = compiled.parameters.render(data)
        host = compiled.host.render(data) or None
    except ExpressionError as error:
        _fail_unrendered(turn, step_id, error)
        return
    turn.emit(
        ev.StepScheduled(
            step=step_id,
            attempt=attempt,
            leg=leg,
            command=compiled.step.command,
            parameters=parameters,
            timeout_s=compiled.step.timeout_s,
            requirement=ev.Requirement(
                capabilities=compiled.capabilities,
                host=str(host) if host is not None else None,
                labels=compiled.step.target.labels,
            ),
            sensitive=compiled.step.sensitive,
            token=step.token,
            offer=offer,
            must_claim=compiled.on_lost is not OnLost.RERUN,
        )
    )


def may_start(turn: Turn) -> bool:
    """True while new attempts may be scheduled: not paused, and not coming to an early end."""
    state = turn.state
    return state.stop is None and state.status in (ExecutionStatus.RUNNING, ExecutionStatus.WAITING)


def _is_ready(turn: Turn, step_id: str) -> bool:
    steps = turn.state.steps
    return all(steps[name].ended for name in turn.program.graph.dependencies[step_id])


def _start_or_skip(turn: Turn, step_id: str) -> None:
    condition = turn.compiled(step_id).when
    try:
        wanted = condition is None or condition.test(bind(condition.needs, turn.state))
    except ExpressionError as error:
        _fail_unrendered(turn, step_id, error)
        return
    if wanted:
        schedule_attempt(turn, step_id, attempt=1)
    else:
        turn.emit(ev.StepSkipped(step=step_id, reason="its condition is false"))


def _fail_unrendered(turn: Turn, step_id: str, error: ExpressionError) -> None:
    failure = Failure(code="expression_error", message=str(error), retryable=False)
    fail_for_good(turn, step_id, failure)


def _say_whether_waiting(turn: Turn) -> None:
    state = turn.state
    only_outside = state.busy == 0 and (state.outside > 0 or is_asking(state))
    if state.status is ExecutionStatus.RUNNING and only_outside:
        turn.emit(ev.ExecutionWaiting(reason=_what_is_awaited(turn)))
    elif state.status is ExecutionStatus.WAITING and state.busy > 0:
        turn.emit(ev.ExecutionContinued())


def _what_is_awaited(turn: Turn) -> str:
    names = [
        f"{step_id} ({step.status.value})"
        for step_id, step in turn.state.steps.items()
        if step.status in (StepStatus.WAITING, StepStatus.LOST)
    ] + [f"{name} (approval)" for name, _ in open_gates(turn.state)]
    return "waits for: " + ", ".join(names[:10])


def awaits_approval(turn: Turn) -> bool:
    """True while a person must answer before anything starts."""
    return turn.state.approval is ApprovalStatus.REQUESTED
