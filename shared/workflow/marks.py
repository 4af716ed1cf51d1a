"""What a person said became of a step, carried out once nothing of the step runs any more."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.errors import present
from shared.workflow.expressions import json_size
from shared.workflow.failing import ended_fields, fail_for_good
from shared.workflow.messages import AttemptFinished, Failure
from shared.workflow.turn import Turn


def end_stopped(turn: Turn, cancelled: ev.StepCancelled) -> None:
    """What ran of a step is gone: it is cancelled, or what a person said."""
    if turn.step(cancelled.step).mark is None:
        turn.emit(cancelled)
    else:
        fields = cancelled.model_dump(include=set(ev.StepEnded.model_fields) - {"type"})
        carry_out(turn, cancelled.step, AttemptFinished(**fields, outcome="cancelled"))


def carry_out(turn: Turn, key: str, report: AttemptFinished | None = None) -> None:
    """End the step as it is marked; `report` is the end of the attempt that was stopped for it."""
    step = turn.step(key)
    mark = present(step.mark, "mark")
    if mark.verdict == "failed":
        message = mark.reason or f"{mark.by.id} marked it as failed"
        failure = Failure(code="marked_failed", message=message, retryable=False)
        fail_for_good(turn, key, failure, report)
        return
    ended = ended_fields(report) if report else {"step": key, "attempt": step.attempt}
    size = json_size(mark.output)
    turn.emit(ev.StepCompleted(**ended, output=mark.output, output_bytes=size))
