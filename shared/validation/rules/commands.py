"""Rules about commands: they exist, and take what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.commands.problems import Kind, ParameterProblem
from shared.validation import patches
from shared.validation.finding import PatchOperation
from shared.validation.json_types import schema_at, types_of
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject, Use


def _unknown(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        if use.command in subject.registry:
            continue
        at = f"{use.path}/command"
        close = subject.registry.suggestions(use.command)
        listed = ", ".join(subject.registry)
        yield Found(
            at,
            f"there is no command `{use.command}`",
            f"did you mean `{close[0]}`?" if close else f"known commands: {listed}",
            patches.replace(at, close[0]) if close else (),
        )


def _deprecated(subject: Subject) -> Iterator[Found]:
    for use in subject.uses:
        spec = subject.registry.get(use.command)
        if spec is not None and spec.deprecated:
            at = f"{use.path}/command"
            patch = patches.replace(at, spec.deprecated)
            known = spec.deprecated in subject.registry
            yield Found(at, f"`{use.command}` is deprecated: use {spec.deprecated}",
                        f"use {spec.deprecated}", patch if known else ())  # fmt: skip


def _parameters(*kinds: Kind) -> Check:
    """A check that passes on what the command's schema says of its parameters."""

    def check(subject: Subject) -> Iterator[Found]:
        for use, problem in subject.command_problems:
            if problem.kind in kinds:
                yield _found(use, problem)

    return check


def _found(use: Use, problem: ParameterProblem) -> Found:
    what = problem.path or "parameters"
    path = "/".join(map(str, (use.path, "parameters", *problem.place)))
    message = f"`{use.command}`: {what} {problem.message}"
    return Found(path, message, problem.fix, _patch(use, problem))


def _patch(use: Use, problem: ParameterProblem) -> tuple[PatchOperation, ...]:
    holder = "/".join(map(str, (use.path, "parameters", *problem.place[:-1])))
    if problem.kind == "unknown" and problem.fix.startswith("did you mean '"):
        meant = problem.fix.removeprefix("did you mean '").removesuffix("'?")
        return () if meant in use.parameters else patches.rename(
            holder, str(problem.place[-1]), meant
        )  # fmt: skip
    return ()


def _types(subject: Subject) -> Iterator[Found]:
    """Values of another type than the parameter, and expressions whose type is known."""
    for use, problem in subject.command_problems:
        if problem.kind == "type":
            found = _found(use, problem)
            value = _value(use.parameters, problem.place)
            wanted = types_of(schema_at(subject.registry[use.command].parameters, problem.place))
            better = _converted(value, wanted)
            patch = patches.replace(found.path, better) if better is not None else ()
            yield Found(found.path, found.message, found.fix, patch)
    yield from _expression_types(subject)


def _expression_types(subject: Subject) -> Iterator[Found]:
    if subject.program is None:
        return
    for path, step in subject.steps:
        if step.command not in subject.registry:
            continue
        schema = subject.registry[step.command].parameters
        for place, compiled in subject.program.steps[step.id].parameters.wholes:
            wanted = types_of(schema_at(schema, place))
            kind = compiled.json_type
            if wanted and kind is not None and not _fits(kind, wanted):
                at = "/".join(map(str, (path, "parameters", *place)))
                told = " or ".join(sorted(wanted))
                yield Found(at, f"`{step.command}`: {'/'.join(map(str, place))} must be {told}, "
                            f"and `{compiled.source}` is {kind}",
                            "convert it: string(…), int(…), double(…)")  # fmt: skip


def _fits(kind: str, wanted: frozenset[str]) -> bool:
    if kind == "number":  # a whole number may be one of type number, too
        return bool(wanted & {"number", "integer"})
    return kind in wanted or (kind == "integer" and "number" in wanted)


def _value(parameters: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        known = isinstance(parameters, Mapping) and part in parameters
        listed = isinstance(parameters, list) and isinstance(part, int)
        if not known and not listed:
            return None
        parameters = parameters[part]
    return parameters


def _converted(value: Any, wanted: frozenset[str]) -> Any:
    """What was clearly meant: `"60"` for a number, 60 for a text, one value for a list of it."""
    if isinstance(value, str) and wanted & {"integer", "number"}:
        return int(value) if value.lstrip("-").isdigit() else None
    if isinstance(value, str) and wanted == {"boolean"}:
        return {"true": True, "false": False, "yes": True, "no": False}.get(value.lower())
    if isinstance(value, bool | int | float) and wanted == {"string"}:
        return str(value).lower()
    if isinstance(value, str) and wanted == {"array"}:
        return [value]
    return None


_HEAD: Final = "id: probe_site\nname: Probe a site\nsteps:\n"
_SOUND: Final = Example(f"""\
{_HEAD}\
  - id: probe
    command: http
    parameters:
      url: https://example.com/health
      timeout_s: 10
""")


def _rule(code: str, summary: str, why: str, check: Check, bad: str) -> Rule:
    return Rule(
        code=code,
        level="standard",
        severity="error",
        summary=summary,
        why=why,
        check=check,
        bad=Example(_HEAD + bad),
        good=_SOUND,
    )


RULES: Final = (
    _rule(
        "unknown-command",
        "A command does not exist.",
        "No agent could run it: the step would fail when it is reached, after everything before "
        "it has been done. (A command of your own must be installed where templates are checked.)",
        _unknown,
        """\
  - id: probe
    command: htpp
    parameters: {url: "https://example.com/health"}
""",
    ),
    _rule(
        "missing-command-parameter",
        "A parameter that the command needs is not given.",
        "The step would fail when it is reached, after everything before it has been done.",
        _parameters("missing"),
        """\
  - id: probe
    command: http
    parameters: {method: GET}
""",
    ),
    _rule(
        "unknown-command-parameter",
        "A parameter is given that the command does not have.",
        "Commands refuse what they do not know: a misspelt option is never ignored.",
        _parameters("unknown"),
        """\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health", timeouts: 10}
""",
    ),
    _rule(
        "wrong-parameter-type",
        "A command's parameter has another type than it takes.",
        "The command would refuse it when the step is reached. Expressions count with the type "
        "that they certainly have.",
        _types,
        """\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health", timeout_s: "10"}
""",
    ),
    _rule(
        "invalid-parameter-value",
        "A command's parameter is outside of what it allows.",
        "The command would refuse it when the step is reached.",
        _parameters("value"),
        """\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health", timeout_s: 0}
""",
    ),
    Rule(
        code="deprecated-command",
        level="standard",
        severity="warning",
        summary="A command is deprecated.",
        why="It works today, and will be gone in a later release.",
        check=_deprecated,
        bad=Example(f"{_HEAD}  - id: probe\n    command: old-probe\n"),
        good=_SOUND,
        tags=("third-party",),
    ),
)
