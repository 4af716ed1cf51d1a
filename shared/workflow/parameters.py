"""Parameters of a run: defaults filled in, everything checked against the template's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError

from shared.workflow.definition import Template
from shared.workflow.errors import ParameterError, Problem
from shared.workflow.expressions import json_text

MAX_PARAMETERS_BYTES: Final = 256 * 1024
"""Largest set of parameters, as JSON."""


def prepare_parameters(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The complete parameters of a run; raises `ParameterError` with every problem found.

    A parameter that is neither given nor has a default is left out.
    """
    values = {n: p.default for n, p in template.parameters.items() if p.has_default} | dict(given)
    validator = Draft202012Validator(template.parameters_schema())
    problems = [
        _problem(template, values, error)
        for error in validator.iter_errors(_nulls_left_out(template, values))
    ]
    if not problems and len(json_text(values).encode()) > MAX_PARAMETERS_BYTES:
        problems = [
            Problem(
                path="parameters",
                code="too_large",
                message=f"parameters take more than {MAX_PARAMETERS_BYTES // 1024} KiB as JSON",
                fix="put large content where the steps can fetch it, and pass its address",
            )
        ]
    if problems:
        raise ParameterError(problems)
    return values


def _nulls_left_out(template: Template, values: Mapping[str, Any]) -> dict[str, Any]:
    """A `null` for a parameter that may be absent means absent."""
    optional = {n for n, p in template.parameters.items() if not p.is_required}
    return {n: v for n, v in values.items() if not (v is None and n in optional)}


def _problem(template: Template, given: Mapping[str, Any], error: ValidationError) -> Problem:
    path = "/".join(["parameters", *(str(part) for part in error.absolute_path)])
    if error.validator == "required":
        required: list[str] = [p for p in template.parameters if template.parameters[p].is_required]
        missing = [name for name in required if name not in given]
        names = ", ".join(missing)
        return Problem(
            path=f"parameters/{missing[0]}" if len(missing) == 1 else path,
            code="missing_parameter",
            message=f"missing: {names}",
            fix=f"give a value for {names}",
        )
    if error.validator == "additionalProperties":
        known = ", ".join(template.parameters) or "none"
        return Problem(
            path=path,
            code="unknown_parameter",
            message=error.message,
            fix=f"known parameters: {known}",
        )
    return Problem(
        path=path,
        code="invalid_parameter",
        message=error.message[:500],
        fix=f"must satisfy {error.validator}: {json_text(error.validator_value)[:300]}",
    )
