"""Rules about one run: the parameters that it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.commands.registry import CommandRegistry
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.errors import ExpressionError, ParameterError, Problem
from shared.workflow.expressions import Rendered
from shared.workflow.parameters import prepare_parameters

_PREFIX: Final = "params."


def _prepared(subject: Subject) -> tuple[dict[str, Any] | None, tuple[Problem, ...]]:
    """The complete parameters of the run, or why they do not fit."""
    if subject.template is None or subject.parameters is None or subject.program is None:
        return None, ()
    try:
        return prepare_parameters(subject.template, subject.parameters), ()
    except ParameterError as error:
        return None, error.problems


def _unfit(*codes: str) -> Check:
    """A check that passes on what the parameters' schema says."""

    def check(subject: Subject) -> Iterator[Found]:
        for problem in _prepared(subject)[1]:
            if problem.code in codes:
                yield Found(problem.path, problem.message, problem.fix, about="run")

    return check


def _rendered(subject: Subject) -> Iterator[Found]:
    """What steps would be given, as far as it follows from the parameters alone."""
    values, _ = _prepared(subject)
    if values is None or subject.program is None:
        return
    for path, step in subject.steps:
        if step.command in subject.registry and step.foreach is None:
            rendered = subject.program.steps[step.id].parameters
            yield from run_problems(subject.registry, path, step.command, rendered, values)


def depends_on_run(rendered: Rendered) -> bool:
    """Whether parameters of a step follow, in part, from those of the run."""
    return any(name.startswith(_PREFIX) for name in rendered.needs)


def run_problems(
    registry: CommandRegistry,
    path: str,
    command: str,
    rendered: Rendered,
    values: Mapping[str, Any],
) -> Iterator[Found]:
    """What a command would refuse of the parameters that a run gives it."""
    if not depends_on_run(rendered):
        return
    data = {f"{_PREFIX}{name}": value for name, value in values.items()}
    try:
        known = rendered.known(data)
    except ExpressionError as error:
        yield Found(f"{path}/parameters", f"with these parameters `{command}` cannot be started: "
                    f"{error}", "give other parameters")  # fmt: skip
        return
    for problem in registry.check_parameters(command, known, allow_expressions=True):
        at = "/".join(map(str, (path, "parameters", *problem.place)))
        what = problem.path or "parameters"
        message = f"with these parameters `{command}` refuses {what}: it {problem.message}"
        yield Found(at, message, problem.fix)


_TEXT: Final = """\
id: open_port
name: Open a port
parameters:
  port: {type: integer, minimum: 1, maximum: 65535}
  url: {type: string, default: "https://example.com/health"}
steps:
  - id: probe
    command: http
    parameters: {url: "${{ params.url }}", query: {port: "${{ params.port }}"}}
"""


def _rule(code: str, summary: str, why: str, check: Check, given: Mapping[str, Any]) -> Rule:
    return Rule(
        code=code,
        level="standard",
        severity="error",
        summary=summary,
        why=why,
        check=check,
        bad=Example(_TEXT, given),
        good=Example(_TEXT, {"port": 8080}),
        binding=True,
    )


RUN_RULE: Final = _rule(
    "refused-by-command",
    "With the parameters of this run, a command would refuse what it is given.",
    "The step would fail when it is reached, after everything before it has been done.",
    _rendered,
    {"port": 8080, "url": "ftp://example.com/health"},
)

RULES: Final = (
    _rule(
        "missing-run-parameter",
        "A run is not given a parameter that it needs.",
        "The workflow cannot do its work without it, and does not guess.",
        _unfit("missing_parameter"),
        {},
    ),
    _rule(
        "unknown-run-parameter",
        "A run is given a parameter that the template does not have.",
        "It is probably misspelt: the value would be lost, and a default taken instead.",
        _unfit("unknown_parameter"),
        {"port": 8080, "prot": 8081},
    ),
    _rule(
        "invalid-run-parameter",
        "A parameter of a run does not fit its declaration.",
        "The template says which values make sense; others were not thought of.",
        _unfit("invalid_parameter", "too_large"),
        {"port": 70_000},
    ),
    RUN_RULE,
)
