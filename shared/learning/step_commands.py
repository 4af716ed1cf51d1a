"""What the steps of an execution ran, as recorded commands: one of each step, in the order in which
they began.

A shell step's line is its program with arguments, or the first line of its script that does
something; that of another command is its name and its plain parameters. A loop or a fleet counts
once, as its first instance. Values of secret parameters, secrets and whatever is sealed are not in
it: where a place cannot be filled in, the line has it as the author wrote it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from shared.learning.records import LINE_LIMIT, RecordedCommand
from shared.learning.runs import is_secret, masked
from shared.validation.secret_shapes import may_name_secret
from shared.workflow.binding import base, bind, instance_values
from shared.workflow.errors import ExpressionError
from shared.workflow.machines.step import StepStatus
from shared.workflow.program import CompiledStep, Program
from shared.workflow.state import ExecutionState, StepState

SOURCE: Final = "step"
SILENT: Final = frozenset({"noop", "wait"})
"""Commands that do nothing: nobody types them."""
WORD_LIMIT: Final = 80
"""Characters of a parameter's value in a line."""
WORDS_LIMIT: Final = 8
"""Parameters in a line."""


def step_commands_of(state: ExecutionState, program: Program) -> tuple[RecordedCommand, ...]:
    """One for each step that ran here and can be told in a line."""
    first: dict[str, tuple[str, StepState]] = {}
    for key, step in state.steps.items():
        name = base(key)
        if not step.started_at_ms or step.kept_from or name not in program.steps:
            continue
        if name not in first or _began(key, step) < _began(*first[name]):
            first[name] = key, step
    made = (_recorded(state, program, key, step) for key, step in first.values())
    return tuple(sorted((one for one in made if one is not None), key=lambda c: (c.at_ms, c.id)))


def _began(key: str, step: StepState) -> tuple[int, str]:
    return step.begun_at_ms or step.started_at_ms, key


def _recorded(
    state: ExecutionState, program: Program, key: str, step: StepState
) -> RecordedCommand | None:
    compiled = program.step(key)
    if not compiled.step.command or compiled.step.command in SILENT:
        return None
    parameters = _known(compiled, state, step, program)
    line, more_lines = line_of(compiled.step.command, parameters)
    if not line:
        return None
    began_ms = _began(key, step)[0]
    return RecordedCommand(
        id=f"{state.execution_id}.{base(key)}",
        at_ms=began_ms,
        user=state.requested_by.id or "unknown",
        command=line[:LINE_LIMIT],
        session=state.execution_id,
        cwd=masked(_text(parameters.get("cwd"))[:1_000])[:1_000],
        host=step.ran_on or step.agent,
        exit=_exit(step),
        duration_ms=max(0, step.ended_at_ms - began_ms) if step.ended_at_ms else None,
        more_lines=more_lines,
        source=SOURCE,
    )


def _known(
    compiled: CompiledStep, state: ExecutionState, step: StepState, program: Program
) -> Mapping[str, Any]:
    """The step's parameters with those places filled in that may be known."""
    needs = [need for need in compiled.parameters.needs if not _is_hidden(need, program)]
    try:
        known = compiled.parameters.known(bind(needs, state, local=instance_values(step)))
    except (ExpressionError, KeyError):
        known = compiled.step.parameters
    return known if isinstance(known, Mapping) else {}


def _is_hidden(need: str, program: Program) -> bool:
    root, _, name = need.partition(".")
    return root == "secrets" or (root == "params" and is_secret(name, program.template))


def line_of(command: str, parameters: Mapping[str, Any]) -> tuple[str, bool]:
    """A command and its parameters as a line, and whether there was more than one line of it."""
    if command == "shell":
        argv, script = parameters.get("argv"), parameters.get("script")
        if isinstance(argv, list | tuple):
            return _masked_line(shlex.join(str(word) for word in argv))
        first, more_lines = _first_of(_text(script))
        return masked(first[:LINE_LIMIT]), more_lines
    if command == "http":
        method = _text(parameters.get("method")) or "GET"
        return _masked_line(f"http {method} {_bare(_text(parameters.get('url')))}")
    words = [f"{name}={_word(value)}" for name, value in _plain(parameters)][:WORDS_LIMIT]
    return _masked_line(" ".join([command, *words]))


def _plain(parameters: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in parameters.items():
        if isinstance(value, bool | int | float | str) and not may_name_secret(name):
            text = str(value)
            if text and "\n" not in text:
                yield name, text


def _word(text: str) -> str:
    return shlex.quote(text if len(text) <= WORD_LIMIT else text[: WORD_LIMIT - 1] + "…")


def _bare(url: str) -> str:
    """An address without user, password, query and fragment: those hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _first_of(script: str) -> tuple[str, bool]:
    """The first line of a script that does something."""
    lines = [line.strip() for line in script.splitlines()]
    doing = [line for line in lines if line and not line.startswith(("#", "set -", "set +"))]
    return (doing[0], len(doing) > 1) if doing else ("", False)


def _masked_line(text: str) -> tuple[str, bool]:
    first, _, more = text.strip().partition("\n")
    return masked(first.strip()[:LINE_LIMIT]), bool(more.strip())


def _exit(step: StepState) -> int | None:
    code = step.output.get("exit_code")
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    return {StepStatus.COMPLETED: 0, StepStatus.FAILED: 1}.get(step.status)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
