"""Rollbacks: what would be undone, asking for one, and what people do about it.

As with other requests the check is a courtesy to the caller; the law is in `shared.rollback`.
"""

from __future__ import annotations

from typing import Final

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.operations.executions import ExecutionOperations, particular
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.operations.refusals import refusals
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.rollbacks import (
    AheadBody,
    PlanView,
    PointList,
    RollbackAccepted,
    RollbackBody,
    RollbackPage,
    RollbackRequestTaken,
    RollbackSummary,
    RollbackView,
    Runbook,
    TickBody,
)
from shared.contracts.publishing import masked
from shared.contracts.rollbacks import PointsQuestion, PreviewQuestion
from shared.ports.rollbacks import DamagedPlanError
from shared.rollback.ahead import plan_ahead
from shared.rollback.items import Plan
from shared.rollback.law import why_not_requested, why_not_ticked
from shared.rollback.machine import WITH_SERVICE
from shared.rollback.messages import ItemTicked, RollbackCancelled, RollbackRequested
from shared.rollback.runbook import runbook
from shared.rollback.state import PREFIX, RollbackState, rollback_id
from shared.validation.effects import effects_over
from shared.workflow.definition import is_generated
from shared.workflow.errors import ParameterError
from shared.workflow.parameters import prepare_parameters
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState
from shared.workflow.way_back import Strategy

_MEND: Final = (
    "What is known of the rollback is at GET /api/v1/rollbacks/{id}; once it is over ask for "
    "another one, which plans anew what remains, or restore the document from a backup."
)


class RollbackOperations:
    """Raises 404 for what is not there, and 409, with the reason, for what cannot be done."""

    def __init__(
        self,
        parts: Parts,
        executions: ExecutionOperations,
        templates: TemplateOperations,
        programs: GatewayPrograms,
    ) -> None:
        self._parts = parts
        self._executions = executions
        self._templates = templates
        self._programs = programs

    async def preview(
        self, execution_id: str, strategy: Strategy | None, to: str, steps: tuple[str, ...] = ()
    ) -> PlanView:
        """What a rollback would do now. Raises 422 for a checkpoint that is none."""
        state = await self._executions.state(execution_id)
        found = await self._found(execution_id)
        chosen, point = await self._chosen(state, strategy, to)
        question = PreviewQuestion(
            execution_id=execution_id,
            number=found.number + 1 if found is not None else 1,
            strategy=chosen,
            to=point,
            steps=steps,
            undone=found.undone if found is not None else (),
        )
        with refusals():
            return _view(await self._parts.rollbacks.desk.preview(question))

    async def ahead(self, template_id: str, body: AheadBody) -> PlanView:
        """What a rollback would undo of a complete run that has not begun."""
        stored = await self._templates.find(template_id, body.version)
        template = stored.template
        try:
            parameters = prepare_parameters(template, body.parameters)
        except ParameterError as error:
            raise problems.invalid_parameters(problems.field_problems(error.problems)) from None
        program = await self._programs.get(template.id, template.version)
        if program is None:
            raise problems.conflict(f"Template {template.id}@{template.version} cannot be run.")
        called: dict[tuple[str, str], Program] = {}
        await self._collect(program, called)
        effects = effects_over(self._parts.commands)
        return _view(plan_ahead(program, parameters, called, effects))

    async def _collect(self, program: Program, called: dict[tuple[str, str], Program]) -> None:
        """The programs that a program calls, at any depth."""
        for step in program.template.every_step:
            if step.workflow is None:
                continue
            key = step.workflow.template, step.workflow.version
            inner = await self._programs.get(*key)
            if key not in called and inner is not None:
                called[key] = inner
                await self._collect(inner, called)

    async def points(self, execution_id: str) -> PointList:
        """The checkpoints of an execution."""
        await self._executions.state(execution_id)
        question = PointsQuestion(execution_id=execution_id)
        with refusals():
            return PointList(items=(await self._parts.rollbacks.desk.points(question)).points)

    async def request(
        self, execution_id: str, body: RollbackBody, principal: Principal, key: str | None = None
    ) -> RollbackAccepted:
        """Ask for a rollback; it is durable when this returns."""
        state = await self._executions.state(execution_id)
        strategy, to = await self._chosen(state, body.strategy, body.to or "")
        request = particular(principal, key) if key else self._parts.ids.new(execution_id)
        found = await self._found(execution_id)
        replayed = found is not None and found.request == request
        if not replayed:
            await self._check(state, found)
            message = RollbackRequested(
                execution_id=execution_id,
                strategy=strategy,
                to=to,
                steps=body.steps,
                by=principal.actor,
                reason=body.reason,
                request=request,
            )
            journal = self._parts.automations.journal
            identifier = rollback_id(execution_id)
            await append(journal, identifier, message, f"rbq.{identifier}.{request}")
        return RollbackAccepted(
            rollback_id=rollback_id(execution_id),
            execution_id=execution_id,
            strategy=strategy,
            to=to,
            status_before=state.status.value,
            replayed=replayed,
        )

    async def page(
        self, status: str | None, before: tuple[int, str] | None, limit: int
    ) -> RollbackPage:
        """One page, those that changed last first."""
        found = await self._parts.rollbacks.store.newest(status, before, limit)
        last = found[-1].state if len(found) == limit else None
        return RollbackPage(
            items=tuple(RollbackSummary.of(stored.state) for stored in found),
            next_cursor=f"{last.changed_at_ms}.{last.id}" if last is not None else None,
        )

    async def get(self, identifier: str) -> RollbackView:
        """The newest rollback of an execution, by its id or that of the execution; also where its
        plan is damaged."""
        state = await self._state(identifier)
        plan, damage = None, None
        try:
            plan = await self._plan(state)
        except problems.ProblemError as error:
            damage = error.details
        return RollbackView(
            summary=RollbackSummary.of(state),
            plan=_view(plan) if plan is not None else None,
            plan_damage=damage,
            ticks=state.ticks,
            undone=state.undone,
            rounds=state.rounds,
            service_answers=await self._service_answers(state),
        )

    async def runbook(self, identifier: str) -> Runbook:
        """What people do, or would do, about what is not undone yet."""
        state = await self._state(identifier)
        plan = await self._plan(state)
        if plan is None:
            raise problems.conflict(f"Rollback {state.id} has no plan yet: it is {state.status}.")
        only = None
        if state.over:
            only = [item.number for item in plan.items if item.key not in state.undone]
        text = runbook(plan, state.ticks, only, masked)
        return Runbook(rollback_id=state.id, number=state.number, markdown=text)

    async def tick(
        self, identifier: str, item: int, body: TickBody, principal: Principal
    ) -> RollbackRequestTaken:
        """Say what became of an item that people undo."""
        state = await self._state(identifier)
        why_not = why_not_ticked(state, item)
        if why_not is not None:
            raise problems.conflict(f"Item {item} of {state.id} cannot be ticked off: {why_not}.")
        message = ItemTicked(
            number=state.number,
            item=item,
            verdict=body.verdict,
            by=principal.actor,
            comment=body.comment,
        )
        return await self._send(state, "tick", message)

    async def cancel(
        self, identifier: str, reason: str, principal: Principal
    ) -> RollbackRequestTaken:
        """Undo nothing more."""
        state = await self._state(identifier)
        if state.over:
            raise problems.conflict(f"Rollback {state.id} is over ({state.status.value}).")
        message = RollbackCancelled(number=state.number, by=principal.actor, reason=reason)
        return await self._send(state, "cancel", message)

    async def _check(self, state: ExecutionState, found: RollbackState | None) -> None:
        """Raises 409 where it cannot be rolled back."""
        why_not = why_not_requested(found)
        if is_generated(state.template_id):
            why_not = "it is a rollback itself: roll the execution back once more instead"
        elif state.parent is not None:
            why_not = f"it is a part of {state.parent.root}: roll that back"
        elif state.ended and await self._parts.executions.archived_at_ms(state.execution_id):
            why_not = "it is in the archive, and what was captured for it is gone"
        if why_not is not None:
            raise problems.conflict(
                f"Execution {state.execution_id} cannot be rolled back: {why_not}."
            )

    async def _chosen(
        self, state: ExecutionState, strategy: Strategy | None, to: str
    ) -> tuple[Strategy, str]:
        """The strategy that was asked for, or that of the template. Raises 422."""
        if to and strategy is None:
            strategy = "checkpoint"
        if to and strategy != "checkpoint":
            raise problems.invalid_field(
                "to", f"goes with strategy checkpoint, not {strategy}", "leave one of them out"
            )
        if strategy is not None:
            return strategy, to
        template = await self._executions.template(state)
        if template is None:
            return "graceful", ""
        policy = template.policies.rollback
        return policy.strategy, policy.to_checkpoint or ""

    async def _send(
        self, state: RollbackState, request: str, message: ItemTicked | RollbackCancelled
    ) -> RollbackRequestTaken:
        message_id = self._parts.ids.new(f"{request}.{state.id}")
        await append(self._parts.automations.journal, state.id, message, message_id)
        return RollbackRequestTaken(
            rollback_id=state.id,
            number=state.number,
            request=request,
            status_before=state.status.value,
        )

    async def _service_answers(self, state: RollbackState) -> bool | None:
        if state.status not in WITH_SERVICE:
            return None
        try:
            return await self._parts.rollbacks.desk.present()
        except OSError:
            return None

    async def _plan(self, state: RollbackState) -> Plan | None:
        """Its plan, once there is one. Raises a 500 that says what is damaged."""
        try:
            return await self._parts.rollbacks.plans.get(state.execution_id, state.number)
        except DamagedPlanError as error:
            raise problems.damaged(
                f"The plan of rollback {state.number} of {state.execution_id}", error.faults, _MEND
            ) from None

    async def _found(self, execution_id: str) -> RollbackState | None:
        stored = await self._parts.rollbacks.store.get(rollback_id(execution_id))
        return stored.state if stored is not None else None

    async def _state(self, identifier: str) -> RollbackState:
        found = await self._found(identifier.removeprefix(PREFIX))
        if found is None:
            raise problems.not_found("rollback", identifier, "GET /api/v1/rollbacks lists them.")
        return found


def _view(plan: Plan) -> PlanView:
    """A plan without what is sealed."""
    items = tuple(
        item.model_copy(
            update={
                "parameters": masked(item.parameters),
                "check": item.check
                and item.check.model_copy(update={"parameters": masked(item.check.parameters)}),
            }
        )
        for item in plan.items
    )
    return PlanView.of(plan.model_copy(update={"items": items}))
