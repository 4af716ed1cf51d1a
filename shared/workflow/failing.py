"""Failure of an attempt and of a step: tried again, tolerated, or the end of the execution."""

from __future__ import annotations

from typing import Any

from shared.workflow import events as ev
from shared.workflow.messages import AttemptFinished, Failure
from shared.workflow.retry import delay_ms
from shared.workflow.turn import Turn


def fail_attempt(turn: Turn, report: AttemptFinished, failure: Failure) -> None:
    """An attempt failed: try again if the step's retry rule allows, else fail for good."""
    step_id = report.step
    retry = turn.compiled(step_id).step.retry
    failed = 1 + sum(a.outcome == "failed" for a in turn.step(step_id).attempts)
    if failure.retryable and turn.state.stop is None and failed < retry.max_attempts:
        due_ms = turn.at_ms + delay_ms(retry, turn.state.execution_id, step_id, failed)
        turn.emit(ev.StepRetrying(**ended_fields(report), failure=failure, due_ms=due_ms))
        turn.set_timer(f"retry-{step_id}", due_ms)
    else:
        fail_for_good(turn, step_id, failure, report)


def fail_for_good(
    turn: Turn, step_id: str, failure: Failure, report: AttemptFinished | None = None
) -> None:
    """The step failed; unless that is tolerated, the execution begins to fail."""
    tolerated = turn.compiled(step_id).step.continue_on_failure
    ended = (
        ended_fields(report) if report else {"step": step_id, "attempt": turn.step(step_id).attempt}
    )
    output: dict[str, Any] = (
        {"output": report.output, "output_bytes": report.output_bytes} if report else {}
    )
    turn.emit(ev.StepFailed(**ended, **output, failure=failure, tolerated=tolerated))
    if not tolerated and turn.state.stop is None:
        turn.emit(ev.ExecutionFailing(step=step_id, failure=failure))


def ended_fields(report: AttemptFinished) -> dict[str, Any]:
    """What every end of an attempt takes over from its report."""
    return {
        "step": report.step,
        "attempt": report.attempt,
        "agent": report.agent,
        "started_at_ms": report.started_at_ms,
        "finished_at_ms": report.finished_at_ms,
        "proof": report.proof,
    }
