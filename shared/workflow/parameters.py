"""Parameters of a run: defaults filled in, everything checked against the template's types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError, ValidationError

from shared.workflow.declared import Parameter
from shared.workflow.definition import Template, object_schema
from shared.workflow.errors import ParameterError, Problem
from shared.workflow.expressions import json_size, json_text

MAX_PARAMETERS_BYTES: Final = 256 * 1024
"""Largest set of parameters, as JSON."""


def prepare_parameters(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The complete parameters of a run; raises `ParameterError` with every problem found.

    A parameter that is neither given nor has a default is left out; `null` for one that may be
    absent counts as not given.
    """
    return prepare_values(template.parameters, given, "parameters")


def prepare_values(
    parameters: Mapping[str, Parameter], given: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """The same for any declared values; problems name them `<where>/<name>`."""
    optional = {name for name, p in parameters.items() if not p.is_required}
    present = {n: v for n, v in given.items() if not (v is None and n in optional)}
    values = {n: p.default for n, p in parameters.items() if p.has_default} | present
    stated = {n: v for n, v in values.items() if v is not None or n in present}
    problems = _problems(parameters, stated, where)
    if problems:
        raise ParameterError(problems)
    return values


def schema_problems(template: Template) -> list[Problem]:
    """What is wrong with the declarations: impossible schemas, defaults that do not fit."""
    return declaration_problems(template.parameters, "parameters")


def declaration_problems(parameters: Mapping[str, Parameter], where: str) -> list[Problem]:
    """The same for any declared values."""
    problems: list[Problem] = []
    for name, parameter in parameters.items():
        schema = parameter.json_schema()
        path = f"{where}/{name}"
        try:
            Draft202012Validator.check_schema(
                schema, format_checker=Draft202012Validator.FORMAT_CHECKER
            )
        except SchemaError as error:
            place = "/".join([path, *(str(part) for part in error.absolute_path)])
            problems.append(
                Problem(
                    path=place,
                    code="invalid_schema",
                    message=error.message[:500],
                    fix="write it as JSON Schema (draft 2020-12)",
                )
            )
        else:
            problems += _sample_problems(path, parameter, schema)
    return problems


def _sample_problems(path: str, parameter: Parameter, schema: dict[str, Any]) -> list[Problem]:
    """Defaults and examples that the parameter itself would refuse."""
    samples = {f"examples/{index}": value for index, value in enumerate(parameter.examples)}
    if parameter.default is not None:
        samples["default"] = parameter.default
    validator = Draft202012Validator(schema)
    return [
        Problem(
            path=f"{path}/{where}",
            code="invalid_parameter",
            message=error.message[:500],
            fix=_constraint(error),
        )
        for where, value in samples.items()
        for error in validator.iter_errors(value)
    ]


def _problems(
    parameters: Mapping[str, Parameter], values: Mapping[str, Any], where: str
) -> list[Problem]:
    validator = Draft202012Validator(object_schema(parameters))
    problems = [
        problem
        for error in validator.iter_errors(values)
        for problem in _explain(parameters, error, where)
    ]
    for name, value in values.items():
        path = f"{where}/{name}"
        problems += [_unstorable(path, reason) for reason in sorted(set(_oddities(value)))]
    if not problems and json_size(values) > MAX_PARAMETERS_BYTES:
        problems = [
            Problem(
                path=where,
                code="too_large",
                message=f"{where} take more than {MAX_PARAMETERS_BYTES // 1024} KiB as JSON",
                fix="put large content where the steps can fetch it, and pass its address",
            )
        ]
    return list(dict.fromkeys(problems))


def _explain(
    parameters: Mapping[str, Parameter], error: ValidationError, where: str
) -> list[Problem]:
    path = "/".join([where, *(str(part) for part in error.absolute_path)])
    instance: Any = error.instance
    if error.validator == "required":
        required: Any = error.validator_value
        return [_missing(f"{path}/{name}", name) for name in required if name not in instance]
    if error.validator == "additionalProperties" and not error.absolute_path:
        return [
            _unknown(f"{path}/{name}", name, parameters)
            for name in instance
            if name not in parameters
        ]
    return [
        Problem(
            path=path,
            code="invalid_parameter",
            message=error.message[:500],
            fix=_constraint(error),
        )
    ]


def _constraint(error: ValidationError) -> str:
    return f"must satisfy {error.validator}: {json_text(error.validator_value)[:300]}"


def _missing(path: str, name: str) -> Problem:
    return Problem(
        path=path, code="missing_parameter", message=f"missing: {name}", fix=f"give {name} a value"
    )


def _unknown(path: str, name: str, parameters: Mapping[str, Parameter]) -> Problem:
    known = ", ".join(parameters) or "none"
    return Problem(
        path=path,
        code="unknown_parameter",
        message=f"there is no parameter {name!r}",
        fix=f"known parameters: {known}",
    )


def _unstorable(path: str, reason: str) -> Problem:
    return Problem(
        path=path,
        code="invalid_parameter",
        message=f"holds {reason}",
        fix="pass it as plain text",
    )


def _oddities(value: Any) -> Iterator[str]:
    """What Python's JSON lets through and neither CEL nor the store can hold."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield "an integer of more than 64 bits"
    elif isinstance(value, float) and not math.isfinite(value):
        yield "a number that is not finite"
    elif isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        yield "text that is not Unicode"
    elif isinstance(value, Mapping):
        for item in (*value, *value.values()):
            yield from _oddities(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _oddities(item)
