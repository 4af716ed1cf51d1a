"""Starting attempts: what may start now, and how one is offered to agents or called.

What cannot be rendered fails the step with `expression_error`; it is never started half-rendered.
"""

from __future__ import annotations

from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.binding import bind, instance_values
from shared.workflow.capturing import CaptureOrder
from shared.workflow.errors import ExpressionError, present
from shared.workflow.failing import fail_for_good, stops
from shared.workflow.gates import holds
from shared.workflow.identity import child_id
from shared.workflow.kept import StepPlan
from shared.workflow.late import late_parameters
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Failure
from shared.workflow.program import CompiledStep
from shared.workflow.slots import lacks_slot, waits_to_begin
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.turn import Turn

MAX_DEPTH: Final = 16
_UNDER_WAY: Final = (ExecutionStatus.RUNNING, ExecutionStatus.WAITING)


def offer_again(turn: Turn, step_id: str) -> None:
    """Offer the same leg to whoever fits now; a claim of an earlier offer still counts."""
    step = turn.step(step_id)
    schedule_attempt(turn, step_id, step.attempt, step.leg, step.offer + 1)


def schedule_attempt(turn: Turn, step_id: str, attempt: int, leg: int = 0, offer: int = 0) -> None:
    """Schedule one leg of an attempt, or fail the step if it cannot be rendered.

    A new attempt that a gate holds back, or that lacks a slot, is not scheduled: it is when that
    is granted.
    """
    step = turn.step(step_id)
    compiled = turn.compiled(step_id)
    try:
        if leg == 0 and offer == 0 and (holds(turn, step_id) or lacks_slot(turn, step_id)):
            return
        needs = (*compiled.parameters.needs, *compiled.host.needs)
        data = bind(needs, turn.state, local=instance_values(step))
        parameters = compiled.parameters.render(data)
        late = late_parameters(compiled.parameters, data)
        order = None
        if compiled.captures and leg == 0:
            order = capture_order(compiled, turn.state, step)
        host = compiled.host.render(data) or None
    except ExpressionError as error:
        fail_unrendered(turn, step_id, error)
        return
    if compiled.step.workflow is not None:
        _call(turn, step_id, attempt, parameters)
        return
    turn.emit(
        ev.StepScheduled(
            step=step_id,
            attempt=attempt,
            leg=leg,
            command=compiled.step.command,
            parameters=parameters,
            timeout_s=compiled.step.timeout_s,
            requirement=requirement(compiled, step, host),
            sensitive=compiled.step.sensitive,
            token=step.token,
            offer=offer,
            must_claim=compiled.must_claim,
            late=late,
            rate_limit=compiled.step.target.rate_limit,
            hurried=step.hurried,
            capture=order,
        )
    )


def capture_order(compiled: CompiledStep, state: ExecutionState, step: StepState) -> CaptureOrder:
    """What an agent is to keep before a step begins; raises `ExpressionError`."""
    capture, rendered = compiled.step.capture, compiled.way_back.capture
    if capture is None or rendered is None:
        return CaptureOrder()
    data = bind(rendered.needs, state, local=instance_values(step))
    return CaptureOrder(
        command=capture.command,
        parameters=rendered.render(data),
        timeout_s=capture.timeout_s,
        late=late_parameters(rendered, data),
    )


def requirement(compiled: CompiledStep, step: StepState, host: object) -> ev.Requirement:
    """What an agent must have for a step, or an instance of it; `host` is rendered."""
    target = compiled.step.target
    return ev.Requirement(
        capabilities=compiled.capabilities,
        host=str(host) if host is not None else None,
        labels=target.labels,
        any_capabilities=compiled.step.any_capabilities,
        agent=(step.instance.target or None) if step.instance is not None else None,
        placement=target.placement,
    )


def start_overdue(turn: Turn, step_id: str) -> None:
    """Start the next attempt of a step whose timer is no longer set, or offer it again."""
    step = turn.step(step_id)
    timers = turn.state.timers
    if not may_start(turn, step_id):
        return
    if step.status is StepStatus.RETRYING and f"retry-{step_id}" not in timers:
        schedule_attempt(turn, step_id, step.attempt + 1)
    elif step.status is StepStatus.BLOCKED and f"place-{step_id}" not in timers:
        offer_again(turn, step_id)


def _call(turn: Turn, step_id: str, attempt: int, parameters: dict[str, Any]) -> None:
    step = turn.compiled(step_id).step
    called = present(step.workflow, "sub-workflow")
    state = turn.state
    if state.parent is not None and state.parent.depth >= MAX_DEPTH:
        message = f"it would be more than {MAX_DEPTH} sub-workflows deep"
        fail_for_good(turn, step_id, Failure(code="too_deep", message=message, retryable=False))
        return
    turn.emit(
        ev.StepCalled(
            step=step_id,
            attempt=attempt,
            child=child_id(state.execution_id, step_id, attempt, turn.at_ms),
            template_id=called.template,
            template_version=called.version,
            parameters=parameters,
            rerun_of=_repeated(turn.step(step_id).plan, parameters),
            timeout_s=step.timeout_s if "timeout_s" in step.model_fields_set else None,
        )
    )


def _repeated(plan: StepPlan | None, parameters: dict[str, Any]) -> str:
    """The sub-workflow that the call goes on in: the one that failed, if asked for the same."""
    if plan is None or plan.child is None or plan.parameters != parameters:
        return ""
    return plan.child.of


def may_start(turn: Turn, key: str = "") -> bool:
    """True while new attempts may be scheduled: not paused, not waiting for the execution's slot,
    and not coming to an early end, but for handlers of it."""
    state = turn.state
    if stops(turn, key) or (state.slots and waits_to_begin(state)):
        return False
    cancelling = state.stop is not None and state.stop.kind != "failure"
    return state.status is ExecutionStatus.CANCELLING if cancelling else state.status in _UNDER_WAY


def fail_unrendered(turn: Turn, step_id: str, error: ExpressionError) -> None:
    """A step whose expressions cannot be evaluated never starts."""
    failure = Failure(code="expression_error", message=str(error), retryable=False)
    fail_for_good(turn, step_id, failure)


def awaits_word(turn: Turn) -> bool:
    """True while somebody must say that it may run before anything starts: who validates, or a
    person."""
    state = turn.state
    return state.stop is None and (state.validating or state.approval is ApprovalStatus.REQUESTED)
