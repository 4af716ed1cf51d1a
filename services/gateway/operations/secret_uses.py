"""Secrets and sensitive outputs that a definition gives to a command which would pass them on.

The agent refuses them at run time, wherever they come from. What can be seen in the definition is
refused here already: a place that is nothing but a sensitive output, or a part of one. A field
declared sensitive that the command does not have is refused too: it would seal nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.commands.registry import CommandRegistry
from shared.commands.sensitive import secret_fields
from shared.contracts.api.problems import FieldProblem
from shared.workflow.definition import Step, Template, placed_steps
from shared.workflow.expressions import Place
from shared.workflow.late import secrets_in

_PLACE: Final = re.compile(r"\$\{\{\s*(steps\.(\w+)\.output\.(\w+)[\w.\[\]]*)\s*\}\}")


def secret_uses(template: Template, registry: CommandRegistry) -> Iterator[FieldProblem]:
    """A problem for each sensitive output in the wrong hands."""
    sensitive = {s.id: secret_fields(s.sensitive) for s in template.every_step if s.sensitive}
    for path, step in placed_steps(template):
        yield from _misnamed(f"{path}/sensitive", step, registry)
    for path, command, parameters in _uses(template):
        if command in registry and not registry[command].takes_secrets:
            yield from _problems(path, command, parameters, sensitive)
            yield from (
                _refused(path, place, f"secrets.{name}", command)
                for place, name in secrets_in(parameters)
            )


def secret_warnings(template: Template, registry: CommandRegistry) -> Iterator[FieldProblem]:
    """A warning for each secret that would be an argument of a process."""
    for path, command, parameters in _uses(template):
        shown = registry[command].arguments if command in registry else ()
        for place, name in secrets_in({k: v for k, v in parameters.items() if k in shown}):
            yield FieldProblem(
                field="/".join(map(str, (path, *place))),
                code="secret_in_arguments",
                message=f"secrets.{name} would be an argument of a process, which everybody on the "
                "agent's host can read while it runs",
                fix="put it into `env` or `stdin`, and let the program read it from there",
            )


def _uses(template: Template) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Where parameters are given to a command: path, command, parameters."""
    for path, step in placed_steps(template):
        if step.command:
            yield f"{path}/parameters", step.command, step.parameters
        if step.rollback is not None:
            undo = step.rollback
            yield f"{path}/rollback/parameters", undo.command, undo.parameters


def _refused(path: str, place: Place, what: str, command: str) -> FieldProblem:
    return FieldProblem(
        field="/".join(map(str, (path, *place))),
        code="secret_refused",
        message=f"{what} is a secret, and {command} would pass it on in clear",
        fix="leave it out here, and give it to the steps that use it",
    )


def _misnamed(path: str, step: Step, registry: CommandRegistry) -> Iterator[FieldProblem]:
    schema = registry[step.command].output if step.command in registry else {}
    if schema.get("additionalProperties") is not False:
        return
    known = ", ".join(sorted(schema["properties"]))
    for index, name in enumerate(step.sensitive):
        if name not in schema["properties"]:
            yield FieldProblem(
                field=f"{path}/{index}",
                code="unknown_output",
                message=f"{step.command} has no output field {name!r}",
                fix=f"use one of: {known}",
            )


def _problems(
    path: str, command: str, value: Any, secret: Mapping[str, frozenset[str]]
) -> Iterator[FieldProblem]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _problems(f"{path}/{key}", command, item, secret)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _problems(f"{path}/{index}", command, item, secret)
    elif isinstance(value, str):
        for name, step, field in _PLACE.findall(value):
            if field in secret.get(step, ()):
                yield FieldProblem(
                    field=path,
                    code="secret_refused",
                    message=f"{name} is sensitive, and {command} would pass it on in clear",
                    fix="leave it out here, and give it to the steps that use it",
                )
