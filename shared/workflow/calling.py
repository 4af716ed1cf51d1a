"""Sub-workflows: a step that runs another template as an execution of its own.

The two executions speak through their journals only: the request goes into the child's, its end
into the parent's. Cancel, pause and resume are passed on, at any depth.
"""

from __future__ import annotations

from typing import Final

from shared.workflow.attempts import conclude
from shared.workflow.expressions import json_size
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import AttemptFinished, ChildEnded, Failure
from shared.workflow.turn import Turn

_SUCCEEDED: Final = ("completed", "completed_with_errors")


def child_ended(turn: Turn, message: ChildEnded) -> None:
    """The sub-workflow came to its end, and with it the attempt."""
    step = turn.state.steps.get(message.step)
    under_way = (StepStatus.CALLING, StepStatus.STOPPING)
    if step is None or step.child != message.child or step.status not in under_way:
        return
    output = {
        "execution_id": message.child,
        "status": message.status,
        "outputs": message.outputs,
    }
    succeeded = message.status in _SUCCEEDED
    report = AttemptFinished(
        step=message.step,
        attempt=step.attempt,
        outcome="succeeded" if succeeded else "failed",
        output=output,
        output_bytes=json_size(output),
        failure=None if succeeded else _failure(message),
        started_at_ms=step.started_at_ms,
        finished_at_ms=turn.at_ms,
    )
    conclude(turn, step, report)


def _failure(message: ChildEnded) -> Failure:
    if message.failure is not None:
        return message.failure
    return Failure(code="child_" + message.status, message=f"sub-workflow {message.status}")
