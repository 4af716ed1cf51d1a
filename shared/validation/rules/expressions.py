"""Rules about expressions: they can be read, name what is there, and have the right types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.validation import patches
from shared.validation.finding import PatchOperation
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.errors import Problem

_SOURCE: Final = re.compile(r"^(?P<reason>.*) \(in `(?P<source>.*)`\)$", re.DOTALL)
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_STEP: Final = re.compile(r"steps\.([a-z0-9_]+)(?:\.|$)")


def _reason(problem: Problem) -> str:
    match = _SOURCE.match(problem.message)
    return match["reason"] if match else problem.message


def _kind(problem: Problem) -> str:
    """Which rule an expression breaks."""
    reason = _reason(problem)
    name = _UNDECLARED.search(reason)
    if name is None:
        types = "no matching overload" in reason or "cannot be the operand" in reason
        return "types" if types else "syntax"
    if name[1].startswith("params."):
        return "parameter"
    return "step" if name[1].startswith("steps.") else "name"


def _broken(kind: str) -> Check:
    """A check that passes on what compiling the expressions found."""

    def check(subject: Subject) -> Iterator[Found]:
        for problem in subject.with_code("expression_error"):
            if _kind(problem) == kind:
                yield Found(problem.path, problem.message, _FIXES[kind])

    return check


_FIXES: Final = {
    "syntax": "correct it; docs/reference/expressions.md tells what can be written",
    "types": "convert one side: string(…), int(…), double(…); numbers of type number are written "
    "with a point (1.0)",
    "name": "use params, steps before this one, and what docs/reference/expressions.md lists; "
    "texts stand in quotes",
}


def _parameters(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("expression_error"):
        if _kind(problem) != "parameter" or subject.template is None:
            continue
        name = _undeclared(problem).removeprefix("params.").partition(".")[0]
        known = subject.template.parameters
        close = subject.close(name, known)
        listed = ", ".join(known) or "none"
        fix = f"did you mean `params.{close}`?" if close else f"declared parameters: {listed}"
        patch = _swapped(subject, problem.path, f"params.{name}", f"params.{close}")
        yield Found(problem.path, f"there is no parameter `{name}`", fix, patch if close else ())


def _undeclared(problem: Problem) -> str:
    match = _UNDECLARED.search(_reason(problem))
    return match[1] if match else ""


def _swapped(subject: Subject, path: str, old: str, new: str) -> tuple[PatchOperation, ...]:
    """The text at a path with one name in the place of another."""
    text = subject.value(path)
    if not isinstance(text, str):
        return ()
    better = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    return patches.replace(path, better) if better != text else ()


def _steps(subject: Subject) -> Iterator[Found]:
    """Names of steps that are unknown, come later, or have no such thing."""
    for problem in subject.with_code("expression_error"):
        if _kind(problem) != "step":
            continue
        wanted = _undeclared(problem)
        match = _STEP.match(wanted)
        name = match[1] if match else ""
        if name in subject.step_of:
            yield _not_before(subject, problem, name, wanted)
            continue
        close = subject.close(name, subject.step_of)
        fix = f"did you mean `steps.{close}`?" if close else "name a step that this one waits for"
        patch = _swapped(subject, problem.path, f"steps.{name}", f"steps.{close}")
        yield Found(problem.path, f"there is no step `{name}`", fix, patch if close else ())


def _not_before(subject: Subject, problem: Problem, name: str, wanted: str) -> Found:
    part = wanted.removeprefix(f"steps.{name}").lstrip(".").partition(".")[0]
    if part not in ("status", "output", "error", "attempts"):
        fix = "a step has `status`, `output`, `error` and `attempts`"
        return Found(problem.path, f"a step has no `{part or 'value of its own'}`", fix)
    owner = re.match(r"(?:steps|on_failure|finally)/\d+", problem.path)
    user = next((s for p, s in subject.steps if owner and p == owner.group()), None)
    if user is None:
        return Found(problem.path, problem.message, "name a step that is there")
    if user.id == name:
        fix = "in checks write `output`; a step cannot use what it returns before it runs"
        return Found(problem.path, f"`{name}` is the step itself", fix)
    fix = f"add {name!r} to depends_on of `{user.id}`"
    patch = () if _depends(subject, name, user.id) else _add_dependency(subject, user.id, name)
    message = f"`{name}` need not have ended when `{user.id}` starts: it does not wait for it"
    return Found(problem.path, message, fix, patch)


def _depends(subject: Subject, name: str, other: str) -> bool:
    """Whether a step waits for another one, by what authors wrote, at any distance."""
    seen: set[str] = set()
    open_ones = [name]
    while open_ones:
        one = open_ones.pop()
        if one == other:
            return True
        if one not in seen and one in subject.step_of:
            seen.add(one)
            open_ones += subject.waits_for.get(one, ())
    return False


def _add_dependency(subject: Subject, user: str, name: str) -> tuple[PatchOperation, ...]:
    path, other = subject.path_of[user], subject.path_of[name]
    if path.partition("/")[0] != other.partition("/")[0]:
        return ()
    if subject.step_of[user].depends_on:
        return patches.add(f"{path}/depends_on", "-", name)
    return patches.add(path, "depends_on", [name])


def _conditions(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("not_a_condition"):
        yield Found(problem.path, problem.message, problem.fix)


def _misplaced_secrets(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("secret_misplaced"):
        yield Found(problem.path, problem.message, problem.fix)


_OTHERS: Final = frozenset({
    "expression_error", "not_a_condition", "secret_misplaced", "gate_name_taken",
    "unknown_dependency", "unknown_step", "cyclic_dependencies", "group_name_taken",
})  # fmt: skip
"""What compiling finds that has a rule of its own."""


def _declarations(subject: Subject) -> Iterator[Found]:
    """Impossible declarations, and whatever else keeps a template from becoming a program."""
    for problem in subject.problems if subject.template is not None else ():
        if problem.code not in _OTHERS:
            yield Found(problem.path, problem.message, problem.fix)


def _gates(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("gate_name_taken"):
        yield Found(problem.path, problem.message, problem.fix)


_HEAD: Final = """\
id: restart_service
name: Restart a service
parameters:
  service: {type: string, pattern: "^[a-z-]+$"}
"""


def _example(steps: str) -> Example:
    return Example(f"{_HEAD}steps:\n{steps}")


_SOUND: Final = _example("""\
  - id: look
    command: noop
    parameters: {echo: "${{ params.service }}"}
  - id: tell
    command: noop
    depends_on: [look]
    when: steps.look.status == "completed"
""")


def _rule(code: str, summary: str, why: str, check: Check, bad: str) -> Rule:
    return Rule(
        code=code,
        level="standard",
        severity="error",
        summary=summary,
        why=why,
        check=check,
        bad=_example(bad),
        good=_SOUND,
        binding=True,
    )


RULES: Final = (
    _rule(
        "invalid-expression",
        "An expression cannot be read.",
        "A condition that cannot be evaluated decides nothing. Expressions are CEL, bounded in "
        "length and in what they may build.",
        _broken("syntax"),
        """\
  - id: look
    command: noop
    when: params.service == "web
""",
    ),
    _rule(
        "expression-type",
        "The types in an expression do not fit.",
        "Nothing is converted by guessing: a text is never equal to a number, so the condition "
        "would be an error in every run.",
        _broken("types"),
        """\
  - id: look
    command: noop
    when: params.service == 8080
""",
    ),
    _rule(
        "undeclared-name",
        "An expression uses a name that means nothing here.",
        "An expression sees only what it was declared to see; what else it names has no value.",
        _broken("name"),
        """\
  - id: look
    command: noop
    when: environment == "production"
""",
    ),
    _rule(
        "undeclared-parameter",
        "An expression uses a parameter that is not declared.",
        "Nobody could give it a value.",
        _parameters,
        """\
  - id: look
    command: noop
    parameters: {echo: "${{ params.servcie }}"}
""",
    ),
    _rule(
        "unavailable-step",
        "An expression looks at a step that is unknown or not before it.",
        "Only what a step waits for has certainly ended when it starts. Without the dependency "
        "the value would be there in some runs and missing in others.",
        _steps,
        """\
  - id: look
    command: noop
    parameters: {echo: "${{ params.service }}"}
  - id: tell
    command: noop
    when: steps.look.status == "completed"
""",
    ),
    _rule(
        "not-a-condition",
        "A condition is not true or false.",
        "Nothing is taken for true or false that is neither.",
        _conditions,
        """\
  - id: look
    command: noop
    when: params.service
""",
    ),
    _rule(
        "misplaced-secret",
        "A secret is used outside of a step's parameters.",
        "A secret has its value on the agent that runs a step, and nowhere else; the coordinator "
        "that evaluates conditions never sees one.",
        _misplaced_secrets,
        """\
  - id: look
    command: noop
    when: secrets.api_token != ""
""",
    ),
    Rule(
        code="invalid-declaration",
        level="basic",
        severity="error",
        summary="A parameter is declared in a way that contradicts itself.",
        why="No value could satisfy it, or its own default does not.",
        check=_declarations,
        bad=Example("""\
id: restart_service
name: Restart a service
parameters:
  port: {type: integer, minimum: 1, maximum: 65535, default: 0}
steps:
  - id: look
    command: noop
    parameters: {echo: "${{ params.port }}"}
"""),
        good=_SOUND,
        binding=True,
    ),
    Rule(
        code="gate-name-taken",
        level="basic",
        severity="error",
        summary="A step's gate has the name of the workflow's own gate.",
        why="An answer names its gate; of two it would be unclear which one was approved.",
        check=_gates,
        bad=Example("""\
id: restart_service
name: Restart a service
steps:
  - id: workflow
    command: noop
    approval: {}
"""),
        good=_SOUND,
        binding=True,
    ),
)
