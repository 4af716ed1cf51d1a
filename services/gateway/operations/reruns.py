"""Re-runs: an ended execution once more, as a new one that keeps what need not run again.

What is kept is worked out here, by the rules of the core, and travels in the request of the new
execution: whatever becomes of the old one, the new one can always be decided again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.operations.executions import ExecutionOperations, check_same, particular
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.operations.templates import TemplateOperations
from services.gateway.operations.validating import Validating
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.operating import RerunAnswer, RerunBody
from shared.ports.idempotency import Remembered
from shared.ports.templates import StoredTemplate
from shared.workflow.binding import base
from shared.workflow.definition import Template
from shared.workflow.errors import ParameterError
from shared.workflow.flow import Call
from shared.workflow.kept import KeptApproval, Rerun
from shared.workflow.messages import Actor, ExecutionRequested
from shared.workflow.parameters import prepare_parameters
from shared.workflow.program import Program
from shared.workflow.rerunning import (
    ChildRerun,
    Past,
    Sorting,
    Wish,
    children_to_go_on,
    kept_approvals,
    rerun_of,
    sort_steps,
    why_not_rerun,
)
from shared.workflow.scheduling import MAX_DEPTH
from shared.workflow.state import ExecutionState

MAX_REQUEST_BYTES: Final = 6 * 1024 * 1024
"""Largest request of a re-run, with all that it keeps: it must fit into one message."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who wants a re-run, and why."""

    by: Actor
    reason: str
    whole_children: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """A re-run that can be asked for."""

    message: ExecutionRequested
    sorting: Sorting
    children: dict[str, ChildRerun]
    approvals: tuple[KeptApproval, ...]
    dropped: tuple[str, ...]


class Reruns:
    """Raises 404 and 409, and 422 for parameters that do not fit."""

    def __init__(
        self,
        parts: Parts,
        executions: ExecutionOperations,
        templates: TemplateOperations,
        validating: Validating,
        programs: GatewayPrograms,
    ) -> None:
        self._parts = parts
        self._executions = executions
        self._templates = templates
        self._validating = validating
        self._programs = programs

    async def rerun(
        self,
        execution_id: str,
        body: RerunBody,
        principal: Principal,
        idempotency_key: str | None = None,
    ) -> RerunAnswer:
        """Ask for a re-run; it is durable when this returns. Under an idempotency key the same
        request again gives the same execution."""
        state = await self._executions.state(execution_id)
        stored = await self._templates.find(
            state.template_id, body.version or state.template_version
        )
        plan = await self._plan(state, stored, body, principal)
        if body.dry_run:
            return _answer(plan, execution_id, None)
        new, replayed = await self._id(principal, idempotency_key, execution_id, body, stored)
        if not replayed or await self._parts.executions.get(new) is None:
            await append(self._parts.journal, new, plan.message, f"req.{new}")
        return _answer(plan, execution_id, new).model_copy(update={"replayed": replayed})

    async def _plan(
        self, state: ExecutionState, stored: StoredTemplate, body: RerunBody, principal: Principal
    ) -> _Plan:
        past, program = await self._past(state), await self._program(stored.template)
        wish = Wish(body.from_step or "", body.failed_only, body.whole_children)
        why_not = why_not_rerun(past, program, wish)
        if why_not is not None:
            raise problems.conflict(
                f"Execution {state.execution_id} cannot be run again so: {why_not}."
            )
        parameters, dropped = _parameters(state, stored.template, body.parameters)
        verdict = await self._validating.before_run(stored, parameters, principal.name)
        approvals = kept_approvals(past, program, parameters, principal.actor)
        sorting = sort_steps(past, program, parameters, wish, approvals)
        asked = _Asked(principal.actor, body.reason, body.whole_children)
        children = await self._children(past, program, sorting, wish, asked, 1)
        rerun = rerun_of(past, sorting, children, approvals, by=principal.actor, reason=body.reason)
        message = _requested(state, stored, body, principal, parameters, rerun)
        message = message.model_copy(update={"verdict": verdict})
        _check_size(message, state.execution_id)
        return _Plan(message, sorting, children, approvals, dropped)

    async def _children(
        self, past: Past, program: Program, sorting: Sorting, wish: Wish, asked: _Asked, depth: int
    ) -> dict[str, ChildRerun]:
        """The sub-workflows in which calls go on, at any depth."""
        found: dict[str, ChildRerun] = {}
        for key, child_id in children_to_go_on(past, program, sorting, wish):
            called = program.step(key).step.workflow
            if called is None or depth > MAX_DEPTH:
                continue
            child = await self._child(child_id, called, asked, depth)
            if child is not None:
                found[key] = child
        return found

    async def _child(
        self, child_id: str, called: Call, asked: _Asked, depth: int
    ) -> ChildRerun | None:
        """The re-run of a sub-workflow; `None` where it has to run as a whole."""
        state = await self._parts.executions.get(child_id)
        program = await self._programs.get(called.template, called.version)
        before = await self._old_program(state)
        entries = await self._parts.executions.history(child_id, limit=1)
        if state is None or program is None or before is None or not entries:
            return None
        request = entries[0].message
        past, wish = Past(before, state), Wish(failed_only=True)
        if not isinstance(request, ExecutionRequested) or why_not_rerun(past, program, wish):
            return None
        try:
            parameters = prepare_parameters(program.template, request.parameters)
        except ParameterError:
            return None
        approvals = kept_approvals(past, program, parameters, asked.by)
        sorting = sort_steps(past, program, parameters, wish, approvals)
        children = await self._children(past, program, sorting, wish, asked, depth + 1)
        rerun = rerun_of(past, sorting, children, approvals, by=asked.by, reason=asked.reason)
        return ChildRerun(rerun, request.parameters)

    async def _past(self, state: ExecutionState) -> Past:
        program = await self._old_program(state)
        if program is None:
            raise problems.conflict(
                f"Template {state.template_id}@{state.template_version}, which execution "
                f"{state.execution_id} ran, cannot be read here: what it did cannot be compared."
            )
        return Past(program, state)

    async def _old_program(self, state: ExecutionState | None) -> Program | None:
        if state is None:
            return None
        return await self._programs.get(state.template_id, state.template_version)

    async def _program(self, template: Template) -> Program:
        program = await self._programs.get(template.id, template.version)
        if program is None:
            raise problems.conflict(f"Template {template.id}@{template.version} cannot be run.")
        return program

    async def _id(
        self,
        principal: Principal,
        key: str | None,
        execution_id: str,
        body: RerunBody,
        stored: StoredTemplate,
    ) -> tuple[str, bool]:
        """The id of the new execution, and whether it was given before under the same key."""
        new = self._parts.ids.execution_id()
        if key is None:
            return new, False
        wanted = Remembered(
            particular(principal, f"{execution_id}\n{body.model_dump_json()}"),
            new,
            stored.template.version,
            self._parts.clock.now_ms(),
        )
        kept = await self._parts.idempotency.remember(particular(principal, key), wanted)
        check_same(kept, wanted.body_hash)
        return kept.execution_id, kept != wanted


def _parameters(
    state: ExecutionState, template: Template, given: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Those of the first run that the version knows, with what is given now; and the others."""
    known = {name: value for name, value in state.parameters.items() if name in template.parameters}
    dropped = tuple(sorted(state.parameters.keys() - known.keys()))
    try:
        return prepare_parameters(template, {**known, **given}), dropped
    except ParameterError as error:
        raise problems.invalid_parameters(problems.field_problems(error.problems)) from None


def _requested(
    state: ExecutionState,
    stored: StoredTemplate,
    body: RerunBody,
    principal: Principal,
    parameters: dict[str, Any],
    rerun: Rerun,
) -> ExecutionRequested:
    template = stored.template
    unknown = [name for name in body.pause_before if base(name) not in _steps(template)]
    if unknown:
        raise problems.invalid_field(
            "pause_before", f"there is no step {unknown[0]}", "name steps of the template"
        )
    return ExecutionRequested(
        template_id=template.id,
        template_version=template.version,
        category=template.category,
        parameters=parameters,
        requested_by=principal.actor,
        template_author=stored.created_by,
        labels={**state.labels, **body.labels},
        pause_before=body.pause_before,
        rerun=rerun,
    )


def _steps(template: Template) -> set[str]:
    return {step.id for step in template.every_step}


def _check_size(message: ExecutionRequested, execution_id: str) -> None:
    size = len(message.model_dump_json())
    if size > MAX_REQUEST_BYTES:
        raise problems.conflict(
            f"What would be kept of execution {execution_id} takes {size / 2**20:.1f} MiB, more "
            f"than the {MAX_REQUEST_BYTES // 2**20} MiB that one request may hold: run it again "
            "from an earlier step, or as a whole."
        )


def _answer(plan: _Plan, rerun_of: str, execution_id: str | None) -> RerunAnswer:
    keys = {key: child.rerun.of for key, child in plan.children.items()}
    return RerunAnswer(
        rerun_of=rerun_of,
        execution_id=execution_id,
        template_id=plan.message.template_id,
        template_version=plan.message.template_version,
        kept=plan.sorting.kept,
        again=dict(plan.sorting.again),
        anew=plan.sorting.anew,
        children=keys,
        approvals=tuple(approval.gate for approval in plan.approvals),
        dropped_parameters=plan.dropped,
    )
