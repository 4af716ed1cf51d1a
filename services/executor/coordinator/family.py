"""What executions say to each other: a step to the sub-workflow that it called, and back.

Each is a message in the other one's journal, with an id that is the same whenever it is sent again.
"""

from __future__ import annotations

from typing import Any

from shared.automation.messages import RunEnded
from shared.automation.turns import is_automation
from shared.ports.effects import Effects
from shared.rollback.state import is_rollback
from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.state import ExecutionState


class Family:
    """Sends to children and to parents."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    def to_child(
        self,
        state: ExecutionState,
        event: ev.StepCalled | ev.StepRelayed | ev.StepRecalled,
        version: int,
    ) -> None:
        """Carry out what was decided about a sub-workflow; `version` is the event's number."""
        if isinstance(event, ev.StepCalled):
            self._effects.append(event.child, _request(state, event), f"req.{event.child}")
            return
        message: msg.JournalMessage
        if isinstance(event, ev.StepRecalled):
            message = msg.CancelRequested(
                by=_who(state, event.step),
                reason=event.reason,
                drain=_may_finish(state, event.step),
            )
        elif event.order == "pause":
            message = msg.PauseRequested(by=event.by, reason="its parent was paused")
        else:
            message = msg.ResumeRequested(by=event.by)
        self._effects.append(event.child, message, f"p.{state.execution_id}.{version}")

    def to_parent(self, state: ExecutionState, parent: msg.Parent) -> None:
        """Tell the step that called this execution how it ended."""
        self._tell(
            parent,
            state.execution_id,
            status=state.status.value,
            outputs=state.outputs,
            failure=state.failure,
        )

    def to_source(
        self, execution_id: str, trigger: msg.Cause, status: str, reason: str = ""
    ) -> None:
        """Tell the schedule, the rule or the rollback that asked for an execution how it ended."""
        if is_automation(trigger.source) or is_rollback(trigger.source):
            ended = RunEnded(execution_id=execution_id, status=status, reason=reason[:1_000])
            self._effects.append(trigger.source, ended, f"run.{execution_id}")

    def refused(self, child: str, parent: msg.Parent, reason: str) -> None:
        """A sub-workflow could not even begin."""
        failure = msg.Failure(code="child_refused", message=reason[:2_000], retryable=False)
        self._tell(parent, child, status="failed", failure=failure)

    def _tell(self, parent: msg.Parent, child: str, **end: Any) -> None:
        ended = msg.ChildEnded(step=parent.step, attempt=parent.attempt, child=child, **end)
        self._effects.append(parent.execution_id, ended, f"c.{child}")


def _who(state: ExecutionState, step: str) -> msg.Actor:
    """Who wants the sub-workflow of a step stopped."""
    mark = state.steps[step].mark
    if mark is not None:
        return mark.by
    return state.stop.by if state.stop is not None else msg.ENGINE


def _may_finish(state: ExecutionState, step: str) -> bool:
    """True when what the sub-workflow of a step has begun may finish."""
    stop = state.stop
    return state.steps[step].mark is None and stop is not None and stop.drain


def _request(state: ExecutionState, event: ev.StepCalled) -> msg.ExecutionRequested:
    above = state.parent
    plan = state.steps[event.step].plan
    return msg.ExecutionRequested(
        template_id=event.template_id,
        template_version=event.template_version,
        parameters=event.parameters,
        requested_by=state.requested_by,
        labels=state.labels,
        parent=msg.Parent(
            execution_id=state.execution_id,
            step=event.step,
            attempt=event.attempt,
            root=above.root if above is not None else state.execution_id,
            depth=above.depth + 1 if above is not None else 1,
        ),
        timeout_s=event.timeout_s,
        trigger=state.trigger,
        rerun=plan.child if event.rerun_of and plan is not None else None,
        to_validate=True,
    )
