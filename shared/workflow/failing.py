"""Failure of an attempt and of a step: tried again, tolerated, or the end of the execution."""

from __future__ import annotations

from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.expressions import json_size
from shared.workflow.gate_state import GateState, closing_words
from shared.workflow.messages import AttemptFinished, Failure
from shared.workflow.retry import delay_ms
from shared.workflow.state import StepState
from shared.workflow.turn import Turn

MAX_OUTPUT_BYTES: Final = 8 * 1024 * 1024
"""All outputs of one execution together, as JSON: they must fit into one stored document."""


def fail_attempt(turn: Turn, report: AttemptFinished, failure: Failure) -> None:
    """An attempt failed: try again if the step's retry rule allows, else fail for good."""
    step_id = report.step
    retry = turn.compiled(step_id).step.retry
    failed = 1 + _failures(turn.step(step_id))
    if failure.retryable and failed < retry.max_attempts and not stops(turn, step_id):
        due_ms = turn.at_ms + delay_ms(retry, turn.state.execution_id, step_id, failed)
        turn.emit(ev.StepRetrying(**ended_fields(report), failure=failure, due_ms=due_ms))
        turn.set_timer(f"retry-{step_id}", due_ms)
    else:
        fail_for_good(turn, step_id, failure, report)


def fail_for_good(
    turn: Turn,
    step_id: str,
    failure: Failure,
    report: AttemptFinished | None = None,
    *,
    output: dict[str, Any] | None = None,
) -> None:
    """The step failed; unless that is tolerated, the execution begins to fail. `output` is what a
    step without a report of its own leaves behind.

    For the failure of an instance its loop answers.
    """
    of_loop = base(step_id) != step_id
    tolerated = turn.compiled(step_id).step.continue_on_failure and not of_loop
    ended = (
        ended_fields(report) if report else {"step": step_id, "attempt": turn.step(step_id).attempt}
    )
    left: dict[str, Any] = {}
    if report is not None:
        left = {"output": report.output, "output_bytes": report.output_bytes}
    elif output is not None:
        left = {"output": output, "output_bytes": json_size(output)}
    turn.emit(ev.StepFailed(**ended, **left, failure=failure, tolerated=tolerated))
    if not tolerated and not of_loop and turn.state.stop is None:
        turn.emit(ev.ExecutionFailing(step=step_id, failure=failure))


def fail_refused(turn: Turn, step_id: str, gate: GateState) -> None:
    """People said no, or nothing in time."""
    fail_for_good(turn, step_id, refusal(gate))


def refusal(gate: GateState) -> Failure:
    """A refused gate as the failure of what is behind it."""
    _by, reason = closing_words(gate)
    return Failure(code="approval_" + gate.status, message=reason, retryable=False)


def stops(turn: Turn, step_id: str) -> bool:
    """True when nothing of the step may begin again, since the execution comes to an early end."""
    stop = turn.state.stop
    if stop is None:
        return False
    if turn.state.validating:
        return True
    routes = turn.program.graph.routes
    exempt = routes.after_failure if stop.kind == "failure" else routes.after_cancel
    return base(step_id) not in exempt


def _failures(step: StepState) -> int:
    """Failed attempts since it last completed (which is before, where it is repeated)."""
    failed = 0
    for attempt in step.attempts:
        failed = 0 if attempt.outcome == "completed" else failed + (attempt.outcome == "failed")
    return failed


def ended_fields(report: AttemptFinished) -> dict[str, Any]:
    """What every end of an attempt takes over from its report."""
    return {
        "step": report.step,
        "attempt": report.attempt,
        "agent": report.agent,
        "started_at_ms": report.started_at_ms,
        "finished_at_ms": report.finished_at_ms,
        "proof": report.proof,
        "captured": report.captured,
    }
