"""Rules about outputs: a value that is used has been made, on every path that leads there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.validation import patches
from shared.validation.expressions import Expression
from shared.validation.finding import PatchOperation
from shared.validation.flow import may_be_dead, may_not_complete, skipped_with
from shared.validation.json_types import fields_of
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.definition import Step
from shared.workflow.outputs import FLEET_OUTPUT, INSTANCES_OUTPUT, engine_output

_CONDITION: Final = "verify/condition"
_OUTPUT: Final = re.compile(r"steps\.([a-z0-9_]+)\.output(?:\.(\w+))?")


def _uses(subject: Subject) -> Iterator[tuple[Expression, str, str]]:
    """Each use of another step's output: the expression, the step, and the field."""
    for use in subject.expressions:
        for name in use.names:
            match = _OUTPUT.match(name)
            if match is not None and match[1] in subject.step_of:
                yield use, match[1], match[2] or ""


def _fields(subject: Subject, step: Step, *, whole: bool) -> tuple[str, frozenset[str]] | None:
    """What returns the output, and its fields; None where any field may be there. `whole`: as
    others see the step, a loop or fleet as one."""
    if whole and step.target.is_fleet:
        return "a fleet", frozenset(FLEET_OUTPUT["properties"])
    if whole and step.foreach is not None:
        return "a loop", frozenset(INSTANCES_OUTPUT["properties"])
    if not step.command:
        return f"a {step.kind}", frozenset(engine_output(step)["properties"])
    if step.command not in subject.registry:
        return None
    known = fields_of(subject.registry[step.command].output)
    return None if known is None else (f"`{step.command}`", known)


def _unknown_fields(subject: Subject) -> Iterator[Found]:
    for use, name, field in _uses(subject):
        fields = _fields(subject, subject.step_of[name], whole=True)
        if field and fields is not None and field not in fields[1]:
            yield _unknown(subject, use, f"steps.{name}.output.{field}", field, fields)
    for use in subject.expressions:
        if use.kind == "check" and use.step is not None:
            own = _fields(subject, use.step, whole=False)
            for field in _own_fields(use):
                if own is not None and field not in own[1]:
                    yield _unknown(subject, use, f"output.{field}", field, own)


def _own_fields(use: Expression) -> Iterator[str]:
    for name in use.names:
        if name.startswith("output."):
            yield name.split(".")[1]


def _unknown(
    subject: Subject, use: Expression, name: str, field: str, fields: tuple[str, frozenset[str]]
) -> Found:
    what, known = fields
    close = subject.close(field, known)
    fix = f"did you mean `{close}`?" if close else f"it returns: {', '.join(sorted(known))}"
    text = subject.value(use.path)
    patch: tuple[PatchOperation, ...] = ()
    if close and isinstance(text, str):
        better = name.removesuffix(field) + close
        swapped = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", better, text)
        patch = patches.replace(use.path, swapped) if swapped != text else ()
    return Found(use.path, f"{what} returns no `{field}`", fix, patch)


def _maybe_missing(subject: Subject) -> Iterator[Found]:
    reasons = may_not_complete(subject)
    told: set[tuple[str, str]] = set()
    for use, name, _ in _uses(subject):
        if name in reasons and (use.path, name) not in told and not _is_safe(subject, use, name):
            told.add((use.path, name))
            yield Found(
                use.path,
                f"`{name}` {reasons[name]}: its output may not be there",
                f"ask first: `has(steps.{name}.output.…) ? … : …`, or compare "
                f"`steps.{name}.status` in the step's `when`",
            )


def _is_safe(subject: Subject, use: Expression, name: str) -> bool:
    """Whether an expression is evaluated only where the other step has completed, or asks."""
    if use.guards or f"steps.{name}.status" in use.names:
        return True
    if use.step is None:
        return False
    step, other = use.step, subject.step_of[name]
    if use.path.endswith("/when") or "/switch/" in use.path:
        return _only_after(subject, step, other)
    same = step.when is not None and step.when == other.when and not other.continue_on_failure
    asked = step.when is not None and f"steps.{name}." in step.when
    return same or asked or _only_after(subject, step, other)


def _only_after(subject: Subject, step: Step, other: Step) -> bool:
    """Whether a step is skipped wherever the other one is, and that one cannot fail unseen."""
    sure = may_be_dead(subject, other) or (other.when is None and not other.continue_on_failure)
    return sure and not other.continue_on_failure and step.id in skipped_with(subject, other.id)


def _unparsed(subject: Subject) -> Iterator[Found]:
    for use, name, field in _uses(subject):
        if field == "json":
            yield from _asks_to_parse(subject, use, subject.step_of[name])
    for use in subject.expressions:
        over_output = use.kind in ("check", "way_back") and not use.path.endswith(_CONDITION)
        if over_output and use.step is not None and "json" in _own_fields(use):
            yield from _asks_to_parse(subject, use, use.step)


def _asks_to_parse(subject: Subject, use: Expression, step: Step) -> Iterator[Found]:
    if step.command != "shell" or step.foreach is not None or step.target.is_fleet:
        return
    given: Mapping[str, Any] = step.parameters
    if given.get("parse_json", False) is False:
        at = f"{subject.path_of[step.id]}/parameters"
        yield Found(
            use.path,
            f"`json` of `{step.id}` is always null: its standard output is not parsed",
            f"give `{step.id}` the parameter `parse_json: true`",
            patches.add(at, "parse_json", True),
        )


def _unused(subject: Subject) -> Iterator[Found]:
    template = subject.template
    if template is None or subject.program is None:
        return
    # Any text may be an expression, also one that the engine does not evaluate itself.
    mentioned = {name for _, text in subject.texts for name in _PARAMETER.findall(text)}
    for name in template.parameters:
        if name not in mentioned:
            yield Found(f"parameters/{name}", f"nothing uses the parameter `{name}`",
                        "use it, or remove it")  # fmt: skip


_PARAMETER: Final = re.compile(r"\bparams\s*\.\s*([a-z][a-z0-9_]*)")
_HEAD: Final = "id: check_disk\nname: Check a disk\n"


def _example(steps: str, rest: str = "") -> Example:
    return Example(f"{_HEAD}steps:\n{steps}{rest}")


RULES: Final = (
    Rule(
        code="unknown-output-field",
        level="standard",
        severity="error",
        summary="An expression uses an output field that the command does not return.",
        why="It would have no value in any run, and the step would fail when it is reached.",
        check=_unknown_fields,
        bad=_example("""\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health"}
    success_criteria: [output.status_code == 200]
"""),
        good=_example("""\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health"}
    success_criteria: [output.status == 200]
"""),
    ),
    Rule(
        code="output-may-be-missing",
        level="standard",
        severity="warning",
        summary="An output is used of a step that may not have completed.",
        why="On some paths the step is skipped, or has failed and was tolerated. Then the value is "
        "not there, and the step that uses it fails, often in the run that matters.",
        check=_maybe_missing,
        bad=_example("""\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health"}
    continue_on_failure: true
  - id: tell
    command: noop
    depends_on: [probe]
    parameters: {echo: "${{ steps.probe.output.status }}"}
"""),
        good=_example("""\
  - id: probe
    command: http
    parameters: {url: "https://example.com/health"}
    continue_on_failure: true
  - id: tell
    command: noop
    depends_on: [probe]
    parameters:
      echo: "${{ has(steps.probe.output.status) ? steps.probe.output.status : 0 }}"
"""),
    ),
    Rule(
        code="output-not-parsed",
        level="standard",
        severity="warning",
        summary="`json` of a shell step is used, and its output is not parsed.",
        why="Without `parse_json` the field is always null.",
        check=_unparsed,
        bad=_example("""\
  - id: list
    command: shell
    parameters: {argv: [lsblk, --json]}
    irreversible: it only reads
    success_criteria: [size(output.json.blockdevices) > 0]
"""),
        good=_example("""\
  - id: list
    command: shell
    parameters: {argv: [lsblk, --json], parse_json: true}
    irreversible: it only reads
    success_criteria: [size(output.json.blockdevices) > 0]
"""),
    ),
    Rule(
        code="unused-parameter",
        level="standard",
        severity="info",
        summary="A parameter is declared and never used.",
        why="Whoever starts a run believes that the value changes something.",
        check=_unused,
        bad=Example(f"""\
{_HEAD}\
parameters:
  mount: {{type: string, default: /}}
steps:
  - id: look
    command: noop
"""),
        good=Example(f"""\
{_HEAD}\
parameters:
  mount: {{type: string, default: /}}
steps:
  - id: look
    command: noop
    parameters: {{echo: "${{{{ params.mount }}}}"}}
"""),
    ),
)
