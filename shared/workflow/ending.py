"""The end of an execution: when it has come, and which one it is.

* With nothing open and no reason to stop: `completed`, or `completed_with_errors` where a failure
  was tolerated.
* After a failure: `failed`, once nothing runs any more; what an agent has not claimed is
  cancelled at once, what had not become ready is skipped.
* After a cancel or a deadline: `cancelled` or `failed`, once everything that ran is accounted for.
* What nobody has let go (`validating`) ends without its handlers: nothing of it runs.
* What is to be rolled back by itself then asks for it (`safety_net`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.binding import base, bind
from shared.workflow.errors import ExpressionError
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import BUSY, StepStatus
from shared.workflow.messages import Failure
from shared.workflow.notifying import notify
from shared.workflow.safety_net import ask_for_rollback, with_touched
from shared.workflow.sections import next_section
from shared.workflow.slots import release
from shared.workflow.state import Stop
from shared.workflow.stopping import cancel_unstarted
from shared.workflow.turn import Turn

_UNCLAIMED: Final = (StepStatus.SCHEDULED, StepStatus.RETRYING, StepStatus.BLOCKED)


def end_if_over(turn: Turn) -> Sequence[str]:
    """End the execution if nothing is left to do; gives steps that may begin before that."""
    stop = turn.state.stop
    if stop is not None and turn.state.validating:
        _skip_everything(turn)
    elif stop is not None and stop.kind == "failure":
        _wind_down(turn, stop)
    if turn.ended_steps:
        return ()
    if turn.program.graph.routes.has_sections and not turn.state.validating:
        begun = next_section(turn)
        if begun:
            return begun
    if turn.state.open == 0 and not turn.ended_steps:
        _end(turn, turn.state.stop)
    return ()


def _skip_everything(turn: Turn) -> None:
    """Nobody has let it go: no handler runs either."""
    for step_id, step in turn.state.steps.items():
        if step.status is StepStatus.PENDING:
            turn.emit(ev.StepSkipped(step=step_id, reason="nothing of the execution has begun"))


def _end(turn: Turn, stop: Stop | None) -> None:
    for name in tuple(turn.state.slots):
        release(turn, name)
    if stop is None:
        _complete(turn)
    elif stop.kind == "cancel":
        turn.emit(ev.ExecutionCancelled(by=stop.by, reason=stop.reason))
    else:
        failure = with_touched(turn, _failure(stop))
        turn.emit(ev.ExecutionFailed(failure=failure, step=stop.step))
    notify(turn)
    ask_for_rollback(turn)


def _wind_down(turn: Turn, stop: Stop) -> None:
    """After a failure: what no agent has claimed is given up at once, the rest when nothing runs.

    A claim that crosses this is revoked: its agent is told to stop, and the history names it.
    Handlers of the failure go on.
    """
    reason = f"the execution failed at step {stop.step}"
    handlers = turn.program.graph.routes.after_failure
    steps = [(k, one) for k, one in turn.state.steps.items() if base(k) not in handlers]
    for step_id, step in steps:
        if step.status in _UNCLAIMED:
            turn.emit(ev.StepCancelled(step=step_id, attempt=step.attempt, reason=reason))
    now = turn.state.steps
    if turn.state.busy > 0 and any(now[k].status in BUSY for k, _ in steps):
        return
    for step_id, _ in steps:
        if now[step_id].status is StepStatus.PENDING:
            turn.emit(ev.StepSkipped(step=step_id, reason=reason))
    cancel_unstarted(turn, reason, [step_id for step_id, _ in steps])


def _failure(stop: Stop) -> Failure:
    if stop.failure is not None:
        return stop.failure
    return Failure(code="timeout", message=stop.reason, retryable=False)


def _complete(turn: Turn) -> None:
    if turn.state.status is ExecutionStatus.WAITING:
        turn.emit(ev.ExecutionContinued())
    outputs = turn.program.outputs
    try:
        values: dict[str, Any] = outputs.render(bind(outputs.needs, turn.state))
    except ExpressionError as error:
        failure = Failure(code="expression_error", message=f"outputs: {error}", retryable=False)
        turn.emit(ev.ExecutionFailed(failure=failure))
        return
    failed = tuple(s for s, state in turn.state.steps.items() if state.tolerated)
    if failed:
        turn.emit(ev.ExecutionCompletedWithErrors(outputs=values, failed_steps=failed))
    else:
        turn.emit(ev.ExecutionCompleted(outputs=values))
