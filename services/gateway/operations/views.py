"""Executions as callers see them: times worked out, sealed values masked."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.api.executions import ExecutionView, MarkView, RerunView, StepView
from shared.contracts.publishing import masked
from shared.workflow import graph as graphs
from shared.workflow.binding import base
from shared.workflow.definition import Step, Template
from shared.workflow.gates import open_gates
from shared.workflow.messages import Cause
from shared.workflow.state import ExecutionState, StepState


def execution_view(state: ExecutionState, template: Template | None) -> ExecutionView:
    """One execution; names and dependencies of its steps come from the template, if it is known."""
    known = {step.id: step for step in template.every_step} if template is not None else {}
    waits = _waits(template) if template is not None else {}
    return ExecutionView(
        id=state.execution_id,
        template_id=state.template_id,
        template_version=state.template_version,
        category=state.category,
        status=state.status.value,
        ended=state.ended,
        parameters=masked(state.parameters),
        requested_by=state.requested_by,
        labels=state.labels,
        approval=state.approval.value,
        approved_by=state.approved_by,
        parent=state.parent,
        trigger=Cause.model_validate(masked(state.trigger.model_dump())),
        section=state.section,
        breakpoints=state.breakpoints,
        pause=state.pause,
        rerun=_rerun(state),
        rollback=state.rollback,
        verdict=state.verdict,
        awaits_approval=tuple(name for name, _ in open_gates(state)) if not state.ended else (),
        waits_for_slots=tuple(slot.key for slot in state.slots.values() if not slot.granted),
        steps=tuple(
            _step(name, step, known.get(base(name)), waits.get(name, ()))
            for name, step in state.steps.items()
        ),
        outputs=masked(state.outputs),
        failure=state.failure,
        stop_reason=state.stop.reason if state.stop is not None else "",
        version=state.version,
        created_at_ms=state.created_at_ms,
        started_at_ms=state.started_at_ms,
        updated_at_ms=state.updated_at_ms,
        ended_at_ms=state.ended_at_ms,
        duration_ms=_between(state.created_at_ms, state.ended_at_ms),
    )


def _waits(template: Template) -> Mapping[str, tuple[str, ...]]:
    graph = graphs.build(template.steps, template.on_failure, template.always)[0]
    return graph.dependencies if graph is not None else {}


def _step(name: str, state: StepState, step: Step | None, depends_on: tuple[str, ...]) -> StepView:
    return StepView(
        id=name,
        name=step.name if step is not None else "",
        command=step.kind if step is not None else "",
        depends_on=depends_on,
        status=state.status.value,
        attempt=state.attempt,
        agent=state.agent,
        scheduled_at_ms=state.scheduled_at_ms,
        started_at_ms=state.started_at_ms,
        ended_at_ms=state.ended_at_ms,
        duration_ms=_between(state.started_at_ms, state.ended_at_ms),
        output=masked(state.output),
        failure=state.failure,
        reason=state.reason,
        tolerated=state.tolerated,
        attempts=state.attempts,
        child=state.child,
        instances=state.instances,
        target=state.instance.target if state.instance is not None else "",
        batch=state.instance.batch if state.instance is not None else 0,
        rounds=state.rounds,
        marked=_mark(state),
        kept_from=state.kept_from or None,
        captured=state.captured,
    )


def _rerun(state: ExecutionState) -> RerunView | None:
    rerun = state.rerun
    if rerun is None:
        return None
    return RerunView(execution_id=rerun.execution_id, by=rerun.by, reason=rerun.reason)


def _mark(state: StepState) -> MarkView | None:
    mark = state.mark
    if mark is None:
        return None
    return MarkView(verdict=mark.verdict, by=mark.by, reason=mark.reason)


def _between(start_ms: int, end_ms: int) -> int | None:
    return end_ms - start_ms if start_ms and end_ms else None
