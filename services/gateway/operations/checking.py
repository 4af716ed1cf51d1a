"""Whether a definition can ever run: its graph, its expressions, its commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.gateway import problems
from services.gateway.operations.secret_uses import secret_uses
from shared.commands.registry import CommandRegistry
from shared.contracts.api.problems import FieldProblem
from shared.workflow.definition import Template, placed_steps
from shared.workflow.errors import DefinitionError
from shared.workflow.program import CommandSignature, compile_template


def check_definition(
    template: Template, registry: CommandRegistry, known: Mapping[str, CommandSignature]
) -> None:
    """Raises 422 with everything that is wrong, from the graph to a command's parameters."""
    found = [*_command_problems(template, registry), *secret_uses(template, registry)]
    try:
        compile_template(template, known)
    except DefinitionError as error:
        found = problems.field_problems(error.problems) + found
    if found:
        raise problems.invalid_definition(found)


def _command_problems(template: Template, registry: CommandRegistry) -> Iterator[FieldProblem]:
    for path, step in placed_steps(template):
        if step.command:
            yield from _uses(path, step.command, step.parameters, registry)
        undo = step.rollback
        if undo is not None:
            yield from _uses(f"{path}/rollback", undo.command, undo.parameters, registry)


def _uses(
    path: str, command: str, parameters: Mapping[str, Any], registry: CommandRegistry
) -> Iterator[FieldProblem]:
    """What is wrong with one use of a command."""
    if command not in registry:
        close = registry.suggestions(command)
        listed = ", ".join(registry)
        yield FieldProblem(
            field=f"{path}/command",
            code="unknown_command",
            message=f"there is no command {command!r}",
            fix=f"did you mean {close[0]!r}?" if close else f"known commands: {listed}",
        )
        return
    for found in registry.check_parameters(command, parameters, allow_expressions=True):
        within = found.path.replace("[", "/").replace("]", "").replace(".", "/")
        yield FieldProblem(
            field=f"{path}/parameters/{within}".rstrip("/"),
            code="invalid_command_parameter",
            message=f"{within or 'parameters'} {found.message}",
            fix=found.fix,
        )
