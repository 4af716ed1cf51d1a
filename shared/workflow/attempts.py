"""What runners and the placement report about attempts.

* A report counts only for the attempt and leg that the step is at; any other is late or a
  duplicate, and ignored (a late claim is answered by telling the runner to stop).
* The recorded outcome of an attempt never changes.
* A leg may be offered several times, and its claim counts whichever offer it came from: the journal
  takes one claim of a leg.
* A lost attempt is never silently repeated: `on_lost` decides, and the loss stays in the history.
"""

from __future__ import annotations

from typing import Final

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.binding import bind, instance_values
from shared.workflow.definition import OnLost
from shared.workflow.errors import ExpressionError, present
from shared.workflow.expressions import Compiled, json_size
from shared.workflow.failing import (
    MAX_OUTPUT_BYTES,
    ended_fields,
    fail_attempt,
    fail_for_good,
    stops,
)
from shared.workflow.machines.step import StepStatus
from shared.workflow.marks import end_stopped
from shared.workflow.messages import Failure, Proof
from shared.workflow.scheduling import may_start, offer_again, schedule_attempt
from shared.workflow.state import StepState
from shared.workflow.turn import Turn
from shared.workflow.waves import skips_lost_target

MAX_LOST_RERUNS: Final = 10
PLACE_AGAIN_MS: Final = 2_000

_S = StepStatus
_UNDER_WAY: Final = frozenset({_S.SCHEDULED, _S.BLOCKED, _S.RUNNING})
"""An agent may be at it: what changes nothing is run before it is claimed."""


def started(turn: Turn, report: msg.AttemptStarted) -> None:
    """A runner claims the leg, from the newest offer of it or from an earlier one."""
    step = turn.state.steps.get(report.step)
    if step is None:
        return
    if _is_current(step, report) and step.status in (_S.SCHEDULED, _S.BLOCKED):
        _start(turn, report)
    elif not (_is_current(step, report) and step.agent == report.agent):
        turn.emit(
            ev.StepRevoked(
                step=report.step, attempt=report.attempt, leg=report.leg, agent=report.agent
            )
        )


def finished(turn: Turn, report: msg.AttemptFinished) -> None:
    """The command ended."""
    step = _open_step(turn, report)
    if step is None:
        return
    if step.status in (_S.SCHEDULED, _S.BLOCKED):
        _start(turn, report)
    conclude(turn, step, report)


def conclude(turn: Turn, step: StepState, report: msg.AttemptFinished) -> None:
    """What an attempt that ended means for its step, which was `step` until now."""
    failure = _too_large(turn, report.output_bytes)
    if failure is not None:
        report = report.model_copy(update={"output": {}, "output_bytes": 0})
    elif report.outcome == "succeeded":
        failure = _judge(turn, report)
    else:
        failure = report.failure or _unnamed_failure(report)
    if step.mark is not None:
        _conclude_marked(turn, step, report, done=failure is None)
    elif failure is None:
        _complete(turn, step, report)
    elif step.status is _S.STOPPING:
        reason = failure.message if report.outcome == "succeeded" else _stop_reason(turn)
        turn.emit(ev.StepCancelled(**ended_fields(report), reason=reason))
    else:
        fail_attempt(turn, report, failure)


def _conclude_marked(
    turn: Turn, step: StepState, report: msg.AttemptFinished, *, done: bool
) -> None:
    """A person has said what became of it; that it has succeeded is more than what was said."""
    until = turn.compiled(report.step).step.until
    if done and (until is None or _holds(turn, step, report)):
        by = present(step.mark, "mark").by
        turn.emit(ev.StepMarkVoided(step=report.step, attempt=report.attempt, by=by))
        _complete(turn, step, report)
    else:
        end_stopped(turn, ev.StepCancelled(**ended_fields(report)))


def _complete(turn: Turn, step: StepState, report: msg.AttemptFinished) -> None:
    """It succeeded; a step that is repeated until a condition holds may have to run again."""
    until = turn.compiled(report.step).step.until
    if until is None or step.status is _S.STOPPING or _holds(turn, step, report):
        turn.emit(
            ev.StepCompleted(
                **ended_fields(report), output=report.output, output_bytes=report.output_bytes
            )
        )
    elif step.rounds + 1 >= until.max_rounds or stops(turn, report.step):
        message = f"`{until.condition}` did not hold after {step.rounds + 1} rounds"
        failure = Failure(code="until_not_met", message=message, retryable=False)
        fail_for_good(turn, report.step, failure, report)
    else:
        due_ms = turn.at_ms + round(until.delay_s * 1000)
        turn.emit(ev.StepRepeating(**ended_fields(report), output=report.output, due_ms=due_ms))
        turn.set_timer(f"retry-{report.step}", due_ms)


def _holds(turn: Turn, step: StepState, report: msg.AttemptFinished) -> bool:
    """Whether the condition of `until` holds; one that cannot be told does not."""
    condition = present(turn.compiled(report.step).until, "condition of `until`")
    local = instance_values(step)
    try:
        return condition.test(bind(condition.needs, turn.state, report.output, local=local))
    except ExpressionError:
        return False


def deferred(turn: Turn, report: msg.AttemptDeferred) -> None:
    """The command waits for something outside."""
    step = _open_step(turn, report)
    if step is None or step.status is _S.LOST:
        return
    if step.status in (_S.SCHEDULED, _S.BLOCKED):
        _start(turn, report)
    if step.status is _S.STOPPING:
        end_stopped(
            turn,
            ev.StepCancelled(
                step=report.step,
                attempt=report.attempt,
                agent=report.agent,
                reason=_stop_reason(turn),
                proof=Proof(gone=True, reason="it had begun to wait, and held no agent any more"),
            ),
        )
        return
    failure = _too_large(turn, json_size(report.output))
    if failure is not None:
        fail_for_good(turn, report.step, failure)
        return
    turn.emit(
        ev.StepDeferred(
            step=report.step,
            attempt=report.attempt,
            leg=report.leg,
            token=report.token,
            wake_at_ms=report.wake_at_ms,
            output=report.output,
            captured=report.captured,
        )
    )
    if _is_drained(turn, report.step):
        reason = _stop_reason(turn)
        turn.emit(ev.StepCancelled(step=report.step, attempt=report.attempt, reason=reason))
    elif step.woken == report.token:
        schedule_attempt(turn, report.step, report.attempt, report.leg + 1)
    elif report.wake_at_ms is not None:
        turn.set_timer(f"wake-{report.step}", report.wake_at_ms)


def woken(turn: Turn, report: msg.AttemptWoken) -> None:
    """What a deferred attempt waits for has happened: run its next leg.

    Whoever answers can be faster than the runner's own report that it waits; that is remembered.
    """
    step = turn.state.steps.get(report.step)
    if step is None:
        return
    if step.status is _S.WAITING and step.token == report.token:
        turn.clear_timer(f"wake-{report.step}")
        schedule_attempt(turn, report.step, step.attempt, step.leg + 1)
    elif step.status in _UNDER_WAY and _is_current(step, report) and _is_new(step, report.token):
        turn.emit(
            ev.StepWoken(
                step=report.step, attempt=report.attempt, leg=report.leg, token=report.token
            )
        )


def lost(turn: Turn, report: msg.AttemptLost) -> None:
    """The worker died midway."""
    step = turn.state.steps.get(report.step)
    if step is None or not _is_current(step, report):
        return
    if step.status not in (_S.SCHEDULED, _S.BLOCKED, _S.RUNNING, _S.STOPPING):
        return
    turn.clear_timer(f"place-{report.step}")
    stopping = step.status is _S.STOPPING or stops(turn, report.step)
    proof = Proof(gone=False, reason=report.reason)
    turn.emit(
        ev.StepLost(step=report.step, attempt=report.attempt, reason=report.reason, proof=proof)
    )
    if stopping:
        cancelled = ev.StepCancelled(step=report.step, attempt=report.attempt, reason=report.reason)
        end_stopped(turn, cancelled)
    else:
        _apply_on_lost(turn, report)


def returned(turn: Turn, report: msg.AttemptReturned) -> None:
    """Nobody serves the pool to which it was offered: offer it again."""
    if _is_offered(turn, report):
        offer_again(turn, report.step)


def unplaced(turn: Turn, report: msg.AttemptUnplaced) -> None:
    """No live agent fits: look again for a while, then fail."""
    if not _is_offered(turn, report):
        return
    step = turn.step(report.step)
    limit_ms = step.scheduled_at_ms + round(turn.compiled(report.step).step.start_timeout_s * 1000)
    if turn.at_ms >= limit_ms and skips_lost_target(turn, report.step):
        turn.emit(ev.StepSkipped(step=report.step, reason=f"its target is gone: {report.reason}"))
        return
    if turn.at_ms >= limit_ms:
        failure = Failure(code="no_agent", message=report.reason, retryable=False)
        fail_for_good(turn, report.step, failure)
        return
    turn.emit(ev.StepBlocked(step=report.step, attempt=report.attempt, reason=report.reason))
    turn.set_timer(f"place-{report.step}", min(turn.at_ms + PLACE_AGAIN_MS, limit_ms))


def lost_resolved(turn: Turn, verdict: msg.LostResolved) -> None:
    """A person says what became of a lost attempt."""
    step = turn.state.steps.get(verdict.step)
    if step is None or step.status is not _S.LOST or step.attempt != verdict.attempt:
        return
    if verdict.verdict == "completed":
        turn.emit(
            ev.StepCompleted(
                step=verdict.step,
                attempt=verdict.attempt,
                output=verdict.output,
                output_bytes=json_size(verdict.output),
            )
        )
    elif verdict.verdict == "failed":
        message = verdict.reason or f"{verdict.by.id} marked the lost attempt as failed"
        failure = Failure(code="lost", message=message, retryable=False)
        fail_for_good(turn, verdict.step, failure)
    else:
        _run_again(turn, verdict.step, verdict.attempt, "rerun by " + verdict.by.id)


def _is_current(step: StepState, report: msg.AttemptMessage) -> bool:
    return step.attempt == report.attempt and step.leg == report.leg


def _is_offered(turn: Turn, report: msg.AttemptReturned | msg.AttemptUnplaced) -> bool:
    """The step waits to be claimed, and the report is about its newest offer."""
    step = turn.state.steps.get(report.step)
    if step is None or step.status is not _S.SCHEDULED or not _is_current(step, report):
        return False
    return step.offer == report.offer


def _is_new(step: StepState, token: str) -> bool:
    return token not in (step.token, step.woken)


def _open_step(turn: Turn, report: msg.AttemptMessage) -> StepState | None:
    """The step, if this report still counts for it. A lost attempt's late report counts."""
    step = turn.state.steps.get(report.step)
    open_statuses = (_S.SCHEDULED, _S.BLOCKED, _S.RUNNING, _S.STOPPING, _S.LOST)
    if step is None or not _is_current(step, report) or step.status not in open_statuses:
        return None
    return step


def _start(turn: Turn, report: msg.AttemptMessage) -> None:
    turn.emit(
        ev.StepStarted(
            step=report.step,
            attempt=report.attempt,
            leg=report.leg,
            agent=report.agent,
            host=report.host,
            fence=turn.seq,
        )
    )
    turn.clear_timer(f"place-{report.step}")


def _is_drained(turn: Turn, step_id: str) -> bool:
    """True when what runs may finish, and nothing may begin to wait."""
    stop = turn.state.stop
    return stop is not None and stop.drain and stops(turn, step_id)


def _stop_reason(turn: Turn) -> str:
    stop = turn.state.stop
    return stop.reason if stop is not None else ""


def _unnamed_failure(report: msg.AttemptFinished) -> Failure:
    return Failure(code=report.outcome, message=f"the attempt {report.outcome}")


def _too_large(turn: Turn, more_bytes: int) -> Failure | None:
    """What waits holds an output too, until its last leg gives the final one."""
    steps = turn.state.steps.values() if turn.state.outside else ()
    waiting = [s.output for s in steps if s.status is _S.WAITING and s.output]
    held = turn.state.output_bytes + sum(json_size(output) for output in waiting)
    if held + more_bytes <= MAX_OUTPUT_BYTES:
        return None
    limit = MAX_OUTPUT_BYTES // 2**20
    message = f"the outputs of this execution take more than {limit} MiB together"
    return Failure(code="outputs_too_large", message=message, retryable=False)


def _judge(turn: Turn, report: msg.AttemptFinished) -> Failure | None:
    """What the step's own checks say about an output; `None` when all hold."""
    compiled = turn.compiled(report.step)
    for code, expressions in (
        ("output_invalid", compiled.checks),
        ("criteria_not_met", compiled.criteria),
    ):
        for expression in expressions:
            failure = _check(turn, report, expression, code)
            if failure is not None:
                return failure
    return None


def _check(
    turn: Turn, report: msg.AttemptFinished, expression: Compiled, code: str
) -> Failure | None:
    try:
        local = instance_values(turn.step(report.step))
        if expression.test(bind(expression.needs, turn.state, report.output, local=local)):
            return None
        return Failure(code=code, message=f"does not hold: `{expression.source}`")
    except ExpressionError as error:
        return Failure(code=code, message=str(error))


def _apply_on_lost(turn: Turn, report: msg.AttemptLost) -> None:
    rule = turn.compiled(report.step).on_lost
    losses = sum(a.outcome == "lost" for a in turn.step(report.step).attempts)
    if rule is OnLost.ASK:
        return
    if rule is OnLost.RERUN and losses <= MAX_LOST_RERUNS:
        _run_again(turn, report.step, report.attempt, report.reason)
        return
    message = f"its outcome is unknown: {report.reason}"
    if rule is OnLost.RERUN:
        message += f" (lost {losses} times)"
    fail_for_good(turn, report.step, Failure(code="lost", message=message, retryable=False))


def _run_again(turn: Turn, step_id: str, attempt: int, reason: str) -> None:
    """At once; during a pause at its end, and after a failure of another step not at all."""
    failure = Failure(code="lost", message=reason)
    turn.emit(ev.StepRetrying(step=step_id, attempt=attempt, failure=failure, due_ms=turn.at_ms))
    if may_start(turn, step_id):
        schedule_attempt(turn, step_id, attempt + 1)
