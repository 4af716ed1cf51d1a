"""Requests about an execution as a whole, and its timers."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow import validating
from shared.workflow.adopting import adopt, cancel_what_kept_steps_cancel
from shared.workflow.choosing import delay_over, people_answered
from shared.workflow.errors import ExpressionError, ParameterError
from shared.workflow.failing import fail_refused, refusal, stops
from shared.workflow.gate_answers import answered, delegated
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import WORKFLOW_GATE, closing_words, is_decided, is_refused
from shared.workflow.gate_timers import fire
from shared.workflow.gates import TIMERS as GATE_TIMERS
from shared.workflow.gates import ask, is_option, tend, workflow_rule
from shared.workflow.instances import go_on
from shared.workflow.kept import Rerun
from shared.workflow.kept_approvals import keep_approval
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.parameters import prepare_parameters
from shared.workflow.relaying import relay
from shared.workflow.scheduling import (
    awaits_word,
    schedule_attempt,
    start_overdue,
)
from shared.workflow.settling import start_ready
from shared.workflow.slot_answers import step_revoked, waited_too_long
from shared.workflow.slots import TIMER as SLOT_TIMER
from shared.workflow.slots import WHOLE, lacks_whole
from shared.workflow.stopping import (
    STOP_LIMIT_TIMER,
    STOP_TIMER,
    drain_all,
    give_up_stopping,
    hasten,
    stop_again,
    stop_all,
)
from shared.workflow.turn import Turn
from shared.workflow.validation_events import ExecutionValidated
from shared.workflow.waves import BATCH_TIMER, stop_fleet

DEADLINE_TIMER = "deadline"


def requested(turn: Turn, execution_id: str, request: msg.ExecutionRequested) -> None:
    """A new execution: it starts, or asks for approval first.

    A sub-workflow's parameters are what its parent's expressions gave: they are checked here.
    """
    template = turn.program.template
    parameters, problem = request.parameters, ""
    if request.parent is not None:
        try:
            parameters = prepare_parameters(template, parameters)
        except ParameterError as error:
            problem = str(error)
    turn.create(
        execution_id,
        ev.ExecutionCreated(
            template_id=request.template_id,
            template_version=request.template_version,
            category=template.category,
            parameters=parameters,
            requested_by=request.requested_by,
            template_author=request.template_author,
            labels=request.labels,
            steps=turn.program.graph.order,
            parent=request.parent,
            trigger=request.trigger,
            timeout_s=_shorter(template.policies.timeout_s, request.timeout_s),
            breakpoints=tuple(sorted(set(request.pause_before))),
            rerun=_origin(request.rerun),
            verdict=request.verdict,
        ),
    )
    if request.rerun is not None:
        adopt(turn, request.rerun)
    if problem:
        _refuse(turn, "invalid_parameters", problem)
    elif validating.has_to_be_validated(turn, request):
        validating.ask(turn)
    else:
        _start_unless_gated(turn)


def run_validated(turn: Turn, answer: msg.RunValidated) -> None:
    """Somebody has looked at it: it goes on, or ends before anything of it has run."""
    if not validating.is_awaited(turn.state):
        return
    turn.emit(ExecutionValidated(verdict=answer.verdict, refused=answer.refused))
    if answer.refused:
        _refuse(turn, validating.REFUSED, answer.refused)
    else:
        _start_unless_gated(turn)


def _start_unless_gated(turn: Turn) -> None:
    rule = workflow_rule(turn)
    if rule is not None and not keep_approval(turn, WORKFLOW_GATE, rule):
        ask(turn, WORKFLOW_GATE, rule)
    else:
        _start(turn)


def approval_answered(turn: Turn, answer: msg.ApprovalAnswered) -> None:
    """A person approved or rejected. What has changed since it was asked is asked anew first, so
    that the answer does not count for it."""
    tend(turn)
    answered(turn, answer)
    _follow_gate(turn, answer.gate)


def approval_delegated(turn: Turn, wish: msg.ApprovalDelegated) -> None:
    """A person hands the vote to somebody else. As with answers, what has changed since it was
    asked is asked anew first: a wish that comes twice is about one round."""
    tend(turn)
    delegated(turn, wish)


def cancel_requested(turn: Turn, request: msg.CancelRequested) -> None:
    """Stop everything."""
    reason = request.reason or f"cancelled by {request.by.id}"
    if turn.state.status is not ExecutionStatus.CANCELLING:
        if request.drain:
            drain(turn, request.by, reason)
        else:
            cancel(turn, request.by, reason, everything=request.force)
    elif request.force:
        stop_all(turn, reason, everything=True)
    elif not request.drain:
        hasten_end(turn, request.by, reason)


def pause_requested(turn: Turn, request: msg.PauseRequested) -> None:
    """Start nothing new. An execution that awaits its validation or its approval has nothing to
    pause."""
    if turn.state.status is ExecutionStatus.RUNNING or (
        turn.state.status is ExecutionStatus.WAITING and not awaits_word(turn)
    ):
        turn.emit(ev.ExecutionPaused(by=request.by, reason=request.reason))
        relay(turn, "pause", request.by)


def resume_requested(turn: Turn, request: msg.ResumeRequested) -> None:
    """Go on: what became ready or due during the pause starts now."""
    pause = turn.state.pause
    if turn.state.status is not ExecutionStatus.PAUSED:
        return
    if request.pause and pause is not None and pause.number != request.pause:
        return
    turn.emit(ev.ExecutionResumed(by=request.by, reason=request.reason))
    relay(turn, "resume", request.by)
    _catch_up(turn)


def slot_revoked(turn: Turn, message: msg.SlotRevoked) -> None:
    """Another one takes its place: an execution is cancelled, a step of one is stopped. What runs
    at an early end goes on with the slot that it has; who waits for one then has lost its place."""
    slot = turn.state.slots.get(message.slot)
    if slot is None or (turn.state.stop is not None and (slot.granted or message.slot == WHOLE)):
        return
    if message.slot == WHOLE:
        cancel(turn, msg.ENGINE, message.reason)
    else:
        step_revoked(turn, message.slot, message.reason)


def timer_fired(turn: Turn, fired: msg.TimerFired) -> None:
    """A timer is due; one that was set anew or cleared since is ignored."""
    timer = turn.state.timers.get(fired.timer)
    if timer is None or timer.generation != fired.generation:
        return
    turn.emit(ev.TimerCleared(timer=fired.timer, fired=True))
    if fired.timer == DEADLINE_TIMER:
        _time_out(turn)
    elif fired.timer == STOP_TIMER:
        stop_again(turn)
    elif fired.timer == STOP_LIMIT_TIMER:
        give_up_stopping(turn)
    else:
        kind, name = fired.timer.split("-", 1)
        if kind == SLOT_TIMER:
            waited_too_long(turn, name)
        elif kind in GATE_TIMERS:
            fire(turn, kind, name)
            _follow_gate(turn, name)
        else:
            _step_timer_fired(turn, kind, name)


def _follow_gate(turn: Turn, name: str) -> None:
    """What comes of a gate that was just closed; of one that is open, or long closed, nothing."""
    gate = gate_of(turn.state, name)
    if stops(turn, gate.step):
        return
    if name == WORKFLOW_GATE:
        if turn.state.status is ExecutionStatus.PENDING:
            _start(turn)
        elif is_refused(gate):
            cancel(turn, *closing_words(gate))
    elif not is_decided(gate) or turn.step(gate.step).ended:
        return
    elif is_option(turn, gate.step):
        people_answered(turn, gate.step, gate)
    elif not is_refused(gate):
        _start_behind(turn, gate.step)
    elif turn.compiled(gate.step).selector is not None:
        stop_fleet(turn, gate.step, refusal(gate))
    else:
        fail_refused(turn, gate.step, gate)


def _start_behind(turn: Turn, step_id: str) -> None:
    """Start what a granted gate held back; during a pause that waits for its end."""
    start_ready(turn, (step_id,))
    if turn.state.status is not ExecutionStatus.PAUSED:
        start_overdue(turn, step_id)
        go_on(turn, step_id)


def _shorter(one: float | None, other: float | None) -> float | None:
    given = [limit for limit in (one, other) if limit is not None]
    return min(given, default=None)


def _origin(rerun: Rerun | None) -> ev.RerunOf | None:
    if rerun is None:
        return None
    return ev.RerunOf(
        execution_id=rerun.of, by=rerun.by, reason=rerun.reason, approvals=rerun.approvals
    )


def _refuse(turn: Turn, code: str, problem: str) -> None:
    """It fails before anything of it has run."""
    failure = msg.Failure(code=code, message=problem, retryable=False)
    turn.emit(ev.ExecutionStarted())
    turn.emit(ev.ExecutionFailing(step=None, failure=failure))


def _start(turn: Turn) -> None:
    turn.emit(ev.ExecutionStarted())
    timeout_s = turn.state.timeout_s
    if timeout_s is not None:
        turn.set_timer(DEADLINE_TIMER, turn.at_ms + round(timeout_s * 1000))
    if turn.state.rerun is not None:
        cancel_what_kept_steps_cancel(turn)
    try:
        if lacks_whole(turn):
            return
    except ExpressionError as error:
        failure = msg.Failure(code="expression_error", message=str(error), retryable=False)
        turn.emit(ev.ExecutionFailing(step=None, failure=failure))
        return
    start_ready(turn, turn.program.graph.order)


def _catch_up(turn: Turn) -> None:
    """Start what became ready or due while nothing was allowed to start."""
    start_ready(turn, turn.program.graph.order)
    for key in list(turn.state.steps):
        start_overdue(turn, key)
        go_on(turn, key)


def _step_timer_fired(turn: Turn, kind: str, step_id: str) -> None:
    """During a pause retries and placements wait for the resumption; waits do not."""
    step = turn.step(step_id)
    if kind == "wake" and step.status is StepStatus.WAITING:
        schedule_attempt(turn, step_id, step.attempt, step.leg + 1)
    elif kind == "choice" and step.status is StepStatus.WAITING:
        delay_over(turn, step_id)
    elif kind == BATCH_TIMER:
        go_on(turn, step_id)
    elif kind not in ("wake", "choice") and turn.state.status is not ExecutionStatus.PAUSED:
        start_overdue(turn, step_id)


def cancel(turn: Turn, by: msg.Actor, reason: str, *, everything: bool = False) -> None:
    """Bring an open execution to an early end: stop what runs."""
    turn.emit(ev.ExecutionCancelling(by=by, reason=reason))
    stop_all(turn, reason, everything=everything)
    _catch_up(turn)  # a cancel ends a pause


def drain(turn: Turn, by: msg.Actor, reason: str) -> None:
    """The same, but let what runs finish."""
    turn.emit(ev.ExecutionCancelling(by=by, reason=reason, drain=True))
    drain_all(turn, reason)
    _catch_up(turn)


def hasten_end(turn: Turn, by: msg.Actor, reason: str) -> None:
    """What was allowed to finish is stopped after all."""
    stop = turn.state.stop
    if stop is not None and stop.drain:
        turn.emit(ev.ExecutionCancelling(by=by, reason=reason))
        hasten(turn, reason)


def _time_out(turn: Turn) -> None:
    if turn.state.status is ExecutionStatus.CANCELLING:
        return
    limit = turn.state.timeout_s
    reason = f"did not end within its timeout of {limit:g} s"
    turn.emit(ev.ExecutionCancelling(by=msg.ENGINE, reason=reason, timed_out=True))
    stop_all(turn, reason)
    _catch_up(turn)
