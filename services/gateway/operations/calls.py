"""Sub-workflows that a definition calls: their version must be stored, and take what is given."""

from __future__ import annotations

from collections.abc import AsyncIterator

from shared.contracts.api.problems import FieldProblem
from shared.ports.templates import TemplateStore
from shared.workflow.definition import Step, Template, placed_steps


async def call_problems(
    template: Template, templates: TemplateStore
) -> AsyncIterator[FieldProblem]:
    """What is wrong with each call."""
    for path, step in placed_steps(template):
        if step.workflow is None:
            continue
        called = await templates.find(step.workflow.template, step.workflow.version)
        if called is None:
            yield FieldProblem(
                field=f"{path}/workflow",
                code="unknown_template",
                message=f"there is no {step.workflow.template}@{step.workflow.version}",
                fix="store that version first; a called version is pinned",
            )
            continue
        for problem in _parameter_problems(path, step, called.template):
            yield problem


def _parameter_problems(path: str, step: Step, called: Template) -> list[FieldProblem]:
    """Names only: what the values are is known when the step begins."""
    known = ", ".join(called.parameters) or "none"
    unknown = [name for name in step.parameters if name not in called.parameters]
    missing = [
        name
        for name, parameter in called.parameters.items()
        if parameter.is_required and name not in step.parameters
    ]
    return [
        FieldProblem(
            field=f"{path}/parameters/{name}",
            code="unknown_parameter",
            message=f"{called.id}@{called.version} has no parameter {name!r}",
            fix=f"its parameters: {known}",
        )
        for name in unknown
    ] + [
        FieldProblem(
            field=f"{path}/parameters/{name}",
            code="missing_parameter",
            message=f"{called.id}@{called.version} needs {name!r}",
            fix="give it in `parameters`",
        )
        for name in missing
    ]
