"""What approvers fill in, as expressions see it, and what is wrong with it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from cel_expr_python import cel

from shared.workflow.declared import Parameter
from shared.workflow.definition import Template, placed_steps
from shared.workflow.errors import Problem
from shared.workflow.expressions import cel_type
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.parameters import declaration_problems


def input_variables(template: Template) -> dict[str, dict[str, cel.Type]]:
    """By gate, the variables of its form."""
    forms = {s.id: s.asks.form for s in template.every_step if s.asks is not None}
    if template.policies.approval is not None:
        forms[WORKFLOW_GATE] = template.policies.approval.form
    return {
        gate: value_variables(form, f"approvals.{gate}.input")
        for gate, form in forms.items()
        if form
    }


def gate_problems(template: Template) -> list[Problem]:
    """What is wrong with gates: impossible forms, a step's gate named as the workflow's."""
    rules = {"policies/approval": template.policies.approval}
    for path, step in placed_steps(template):
        rules[f"{path}/approval"] = step.approval
        for index, option in enumerate(step.wait_for.options if step.wait_for is not None else ()):
            rules[f"{path}/wait_for/options/{index}/approval"] = option.approval
    problems = [
        problem
        for path, rule in rules.items()
        if rule is not None
        for problem in declaration_problems(rule.form, f"{path}/form")
    ]
    problems += [
        Problem(
            path=f"{path}/id",
            code="gate_name_taken",
            message=f"the gate of step {step.id!r} has the name of the workflow's own gate",
            fix="rename the step",
        )
        for path, step in placed_steps(template)
        if step.asks is not None and step.id == WORKFLOW_GATE
    ]
    return problems


def value_variables(parameters: Mapping[str, Parameter], prefix: str) -> dict[str, cel.Type]:
    """The variables of declared values. The prefix alone is not declared: a misspelt name must not
    pass."""
    return {
        f"{prefix}.{name}": cel_type(p.json_schema())
        if p.is_required or (p.has_default and p.default is not None)
        else cel.Type.DYN
        for name, p in parameters.items()
    }
