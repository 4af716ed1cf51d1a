"""Fleets: whom they would run on now, and what became of each target of those that ran."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.gateway import problems
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.templates import TemplateOperations
from services.gateway.parts import Parts
from shared.commands.signatures import signatures
from shared.contracts.agents import AgentRecord
from shared.contracts.api.targets import (
    ExecutionTargets,
    FleetPreview,
    FleetView,
    TargetsPreview,
    TargetView,
    WouldRunOn,
)
from shared.contracts.publishing import masked
from shared.workflow.definition import Template
from shared.workflow.errors import DefinitionError, ExpressionError, ParameterError, present
from shared.workflow.fleets import Target
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.loop_state import LoopState
from shared.workflow.parameters import prepare_parameters
from shared.workflow.program import CompiledStep, compile_template
from shared.workflow.selecting import Selection, select
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.waves import question_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose targets to show: of a stored template, or of a selector."""

    where: str | None = None
    template_id: str | None = None
    version: str | None = None
    step: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    any_capabilities: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


class TargetOperations:
    """Everything about targets."""

    def __init__(
        self, parts: Parts, templates: TemplateOperations, executions: ExecutionOperations
    ) -> None:
        self._agents = parts.agents
        self._signatures = signatures(parts.commands)
        self._templates = templates
        self._executions = executions

    async def preview(self, wanted: Wanted) -> TargetsPreview:
        """Whom a template's fleets, or a selector, would match now. Raises 404 and 422."""
        if (wanted.where is None) == (wanted.template_id is None):
            fix = "`template` for its fleets, or `where` for a selector"
            raise problems.invalid_field("where", "give one of `where` and `template`", fix)
        if wanted.template_id is None:
            template = _around(wanted)
        else:
            template = (await self._templates.find(wanted.template_id, wanted.version)).template
        agents = await self._agents.live()
        items = tuple(self._previews(template, wanted, agents))
        if not items:
            what = f"step {wanted.step!r}" if wanted.step else "any step"
            raise problems.invalid_field(
                "step", f"{what} of {template.id} is no fleet", "a fleet has `target.where`"
            )
        return TargetsPreview(live=len(agents), items=items)

    async def of_execution(
        self, execution_id: str, step: str | None, statuses: Collection[str]
    ) -> ExecutionTargets:
        """What became of the targets of an execution. Raises 404."""
        state = await self._executions.state(execution_id)
        items = tuple(
            _fleet(state, name, one.loop, statuses)
            for name, one in state.steps.items()
            if one.loop is not None and one.loop.fleet is not None and step in (None, name)
        )
        if step is not None and not items:
            raise problems.not_found("fleet", step, "Without `step` all fleets are listed.")
        return ExecutionTargets(items=items)

    def _previews(
        self, template: Template, wanted: Wanted, agents: Collection[AgentRecord]
    ) -> Iterator[FleetPreview]:
        try:
            program = compile_template(template, self._signatures)
            parameters = prepare_parameters(template, wanted.parameters)
        except DefinitionError as error:
            raise problems.invalid_definition(problems.field_problems(error.problems)) from None
        except ParameterError as error:
            raise problems.invalid_fields(
                f"The parameters do not fit {template.id}@{template.version}",
                problems.field_problems(error.problems),
            ) from None
        state = ExecutionState(
            execution_id="",
            template_id=template.id,
            template_version=template.version,
            category=template.category,
            parameters=parameters,
        )
        for compiled in program.steps.values():
            name = compiled.step.id
            if compiled.selector is not None and wanted.step in (None, name):
                yield _preview(compiled, state, agents)


def _around(wanted: Wanted) -> Template:
    """A template of one fleet, to check a selector as if it stood in one."""
    step = {
        "id": "fleet",
        "command": "noop",
        "required_capabilities": wanted.capabilities,
        "any_capabilities": wanted.any_capabilities,
        "target": {"where": wanted.where, "labels": dict(wanted.labels)},
    }
    return Template.model_validate({"id": "preview", "name": "Preview", "steps": [step]})


def _preview(
    compiled: CompiledStep, state: ExecutionState, agents: Collection[AgentRecord]
) -> FleetPreview:
    selector = present(compiled.selector, "selector")
    target = compiled.step.target
    shown = FleetPreview(step=compiled.step.id, where=selector.source, strategy=target.strategy)
    later = [name for name in selector.needs if name.partition(".")[0] not in ("params", "agent")]
    if later:
        problem = f"it uses {', '.join(later)}, which is known when the step begins"
        return shown.model_copy(update={"problem": problem})
    try:
        chosen = select(question_of(compiled, state, 0), agents)
    except ExpressionError as error:
        return shown.model_copy(update={"problem": str(error)})
    return shown.model_copy(update=_chosen(target, chosen))


def _chosen(target: Target, chosen: Selection) -> dict[str, Any]:
    total = len(chosen.targets)
    sizes = target.batches(total)
    numbers = [batch for batch, size in enumerate(sizes, 1) for _ in range(size)]
    too_many = f"{total} agents match, the limit is {MAX_INSTANCES}: narrow the selector"
    targets = zip(chosen.targets[:MAX_INSTANCES], numbers, strict=False)
    return {
        "batches": tuple(sizes),
        "canary": target.canary is not None and total > 0,
        "max_failure": min(target.budget(total), total),
        "targets": tuple(
            WouldRunOn(
                target=one.name, host=one.host, labels=dict(one.labels), load=one.load, batch=batch
            )
            for one, batch in targets
        ),
        "others": dict(chosen.others),
        "problem": too_many if total > MAX_INSTANCES else "",
    }


def _fleet(
    state: ExecutionState, name: str, loop: LoopState, statuses: Collection[str]
) -> FleetView:
    fleet, whole = present(loop.fleet, "fleet"), state.steps[name]
    instances = ((f"{name}[{index}]", index) for index in range(whole.instances))
    every = ((key, state.steps[key]) for key, _ in instances)
    return FleetView(
        step=name,
        status=whole.status.value,
        batches=fleet.batches,
        batch=fleet.batch,
        canaries=fleet.canaries,
        stopped=fleet.stopped.message if fleet.stopped is not None else "",
        total=whole.instances,
        completed=loop.completed,
        failed=loop.failed,
        under_way=loop.under_way,
        targets=tuple(
            _target(key, one) for key, one in every if not statuses or one.status.value in statuses
        ),
    )


def _target(key: str, one: StepState) -> TargetView:
    instance = present(one.instance, "target")
    return TargetView(
        step=key,
        target=instance.target,
        host=instance.item["host"],
        batch=instance.batch,
        status=one.status.value,
        output=masked(one.output),
        error=one.failure.message if one.failure is not None else one.reason,
        code=one.failure.code if one.failure is not None else "",
        attempts=len(one.attempts),
        agent=one.agent,
        started_at_ms=one.started_at_ms,
        ended_at_ms=one.ended_at_ms,
    )
