"""Running a command by name: what holds for every command, whoever wrote it.

Unknown names, refusals by the policy, parameters that do not fit, defects of a command and outputs
that are too large or no JSON all become a clear Failed. Nothing but the cancellation of the task is
raised.
"""

import errno
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from services.executor.commands.base import (
    Command,
    CommandContext,
    Completed,
    Failed,
    Outcome,
    Resumable,
)
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.refusal import refused
from services.executor.policy import Refused
from shared.commands.problems import ParameterProblem
from shared.commands.registry import UnknownCommandError

_DISK_TROUBLE: Final[Mapping[int | None, tuple[str, str]]] = {
    errno.ENOSPC: ("disk_full", "the disk with the agent's directory is full"),
    errno.EDQUOT: ("disk_full", "the disk quota of the agent's user is used up"),
    errno.EIO: ("io_error", "the disk reported an error"),
}
"""What is no defect of a command, wherever it meets it: in its working directory, above all."""


async def perform(
    catalog: CommandCatalog,
    name: str,
    parameters: Mapping[str, Any],
    context: CommandContext,
    token: str | None = None,
) -> Outcome:
    """Run a command, or resume it if a token of an earlier Deferred is given."""
    ready = admitted(catalog, name, parameters, context)
    if isinstance(ready, Failed):
        return ready
    command, params = ready
    try:
        outcome = await _call(command, params, context, token)
    # A command is foreign code here: whatever it raises must not end the agent.
    except Exception as error:
        return _broken(name, error)
    return _bounded(name, outcome, context.output_limit_bytes)


def admitted(
    catalog: CommandCatalog, name: str, parameters: Mapping[str, Any], context: CommandContext
) -> tuple[Command, BaseModel] | Failed:
    """A command and its parameters, ready to run, or why they cannot."""
    try:
        command = catalog[name]
    except UnknownCommandError as error:
        return Failed("unknown_command", f"{error} on the agent '{context.agent}'")
    decision = context.policy.command(name)
    if isinstance(decision, Refused):
        return refused(decision)
    problems = catalog.registry.check_parameters(name, parameters)
    if problems:
        return _invalid(problems)
    try:
        return command, command.parameters.model_validate(dict(parameters))
    except ValidationError as error:
        return _invalid([_problem(detail) for detail in error.errors()])


def _broken(name: str, error: Exception) -> Failed:
    number = error.errno if isinstance(error, OSError) else None
    if number in _DISK_TROUBLE:
        code, reason = _DISK_TROUBLE[number]
        return Failed(code, f"the command '{name}' could not go on: {reason}", retryable=True)
    message = f"the command '{name}' broke: {type(error).__name__}: {error}"
    return Failed("command_broken", message[:1000])


async def _call(
    command: Command, params: BaseModel, context: CommandContext, token: str | None
) -> Outcome:
    if token is None:
        return await command.run(params, context)
    if isinstance(command, Resumable):
        return await command.resume(params, context, token)
    return Failed("not_resumable", f"the command '{command.spec.name}' cannot be resumed")


def _invalid(problems: list[ParameterProblem]) -> Failed:
    listed = "; ".join(f"{p.path or 'parameters'}: {p.message} ({p.fix})" for p in problems)
    output = {"problems": [{"path": p.path, "message": p.message, "fix": p.fix} for p in problems]}
    return Failed("invalid_parameters", listed[:2000], output=output)


def _problem(detail: Any) -> ParameterProblem:
    # Deeper parts of a location may name the branch of a union, not a place in the parameters.
    path = str(detail["loc"][0]) if detail["loc"] else ""
    return ParameterProblem(path, detail["msg"], "change the value to fit")


def _bounded(name: str, outcome: object, limit_bytes: int) -> Outcome:
    if not isinstance(outcome, Outcome):
        return Failed("command_broken", f"the command '{name}' returned no outcome")
    try:
        size = len(json.dumps(outcome.output, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        return Failed("invalid_output", f"the output of '{name}' is not JSON: {error}"[:1000])
    if size <= limit_bytes:
        return outcome
    message = f"the output of '{name}' has {size} bytes, the agent's limit is {limit_bytes}"
    if isinstance(outcome, Completed):
        return Failed("output_too_large", message)
    # How it ended matters more than what it said.
    if isinstance(outcome, Failed):
        return replace(outcome, message=f"{outcome.message}; {message}", output={})
    return replace(outcome, output={})
