"""What a rollback service is asked: plans, what became of them, previews, checkpoints.

Everything may be asked twice: a plan that was stored is the plan, whatever would be found later.
"""

from __future__ import annotations

from services.rollback.accounting import account
from services.rollback.pasts import NotYetError, Pasts, UnknownPastError
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts.rollbacks import (
    AccountOrder,
    PlanOrder,
    PointsAnswer,
    PointsQuestion,
    PointView,
    PreviewQuestion,
)
from shared.ports.clock import Clock
from shared.ports.collective import InvalidRequestError, NotFoundError
from shared.ports.executions import ExecutionQueries
from shared.ports.rollbacks import PlanStore
from shared.ports.templates import PutOutcome, StoredTemplate, TemplateStore
from shared.rollback.checkpoints import PlanError, points
from shared.rollback.items import Plan
from shared.rollback.messages import MOST_LINES, Accounted, PlanMade, PlanRefused
from shared.rollback.planning import Wish, changes_something, make_plan
from shared.rollback.state import PREFIX
from shared.templates.content import content_hash
from shared.validation.effects import effects_over
from shared.workflow.errors import DefinitionError
from shared.workflow.program import compile_template

AUTHOR = "rollback"
"""Who writes the templates of rollbacks."""


class Desk:
    """Answers orders of the engine and questions of the gateway."""

    def __init__(
        self,
        *,
        pasts: Pasts,
        executions: ExecutionQueries,
        templates: TemplateStore,
        plans: PlanStore,
        registry: CommandRegistry,
        clock: Clock,
    ) -> None:
        self._pasts = pasts
        self._executions = executions
        self._templates = templates
        self._plans = plans
        self._registry = registry
        self._signatures = signatures(registry)
        self.effects = effects_over(registry)
        self._clock = clock

    async def answer(self, order: PlanOrder | AccountOrder) -> PlanMade | PlanRefused | Accounted:
        """Do what the engine asks for. Raises `NotYetError`."""
        if isinstance(order, AccountOrder):
            return await self._account(order)
        try:
            return await self._plan(order)
        except (PlanError, UnknownPastError) as error:
            return PlanRefused(number=order.number, reason=str(error)[:2_000])

    async def preview(self, question: PreviewQuestion) -> Plan:
        """What a rollback would do now. Nothing is stored, and nothing is run."""
        try:
            ran = await self._pasts.now(question.execution_id)
            wish = Wish(
                number=question.number,
                strategy=question.strategy,
                to=question.to,
                steps=question.steps,
                undone=frozenset(question.undone),
            )
            plan = make_plan(ran, wish, self.effects, self._clock.now_ms())
        except NotYetError as error:
            raise NotFoundError(str(error)) from error
        except (PlanError, UnknownPastError) as error:
            raise InvalidRequestError(str(error)) from error
        return plan.model_copy(update={"template": None, "parameters": {}})

    async def points(self, question: PointsQuestion) -> PointsAnswer:
        """The checkpoints of an execution, oldest first."""
        try:
            ran = await self._pasts.now(question.execution_id)
        except NotYetError as error:
            raise NotFoundError(str(error)) from error
        except UnknownPastError as error:
            raise InvalidRequestError(str(error)) from error
        found = points(ran, changes_something(ran, self.effects))
        return PointsAnswer(
            points=tuple(
                PointView(step=one.step, name=one.name, at_ms=one.at_ms, why=one.why)
                for one in found
            )
        )

    async def _plan(self, order: PlanOrder) -> PlanMade:
        execution_id = order.rollback_id.removeprefix(PREFIX)
        plan = await self._plans.get(execution_id, order.number)
        if plan is None:
            ran = await self._pasts.held(execution_id, order.number)
            wish = Wish(
                order.number, order.strategy, order.to, order.steps, frozenset(order.undone)
            )
            plan = make_plan(ran, wish, self.effects, self._clock.now_ms())
            self._check(plan)
            plan = await self._plans.put(plan)
        await self._store_template(plan)
        return PlanMade(
            number=order.number,
            keys=tuple(item.key for item in plan.items),
            left=tuple(one.line for one in plan.left if not one.accepted)[:MOST_LINES],
            accepted=tuple(one.line for one in plan.left if one.accepted)[:MOST_LINES],
            template_version=plan.template.version if plan.template is not None else "",
            parameters=plan.parameters,
        )

    def _check(self, plan: Plan) -> None:
        """Raises `PlanError` where the template is none that can be run."""
        if plan.template is None:
            return
        try:
            compile_template(plan.template, self._signatures)
        except DefinitionError as error:
            raise PlanError(f"what undoes it cannot be run: {error}") from error

    async def _store_template(self, plan: Plan) -> None:
        template = plan.template
        if template is None:
            return
        stored = StoredTemplate(template, content_hash(template), plan.made_at_ms, AUTHOR)
        if await self._templates.put(stored) is PutOutcome.CONFLICT:
            raise PlanError(f"another template is stored as {template.id}@{template.version}")

    async def _account(self, order: AccountOrder) -> Accounted:
        execution_id = order.rollback_id.removeprefix(PREFIX)
        plan = await self._plans.get(execution_id, order.number)
        if plan is None:
            return Accounted(number=order.number, left=("its plan is not stored any more",))
        run = await self._executions.get(order.run)
        if order.status != "refused" and (run is None or not run.ended):
            raise NotYetError(f"the end of {order.run} is not stored yet")
        done, left = account(plan, run)
        return Accounted(number=order.number, done=done, left=left[:MOST_LINES])
