"""Rules about sub-workflows: they are stored, take what is given, and never call themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.validation import patches
from shared.validation.rule import Example, Found, Rule
from shared.validation.subject import Subject
from shared.workflow.definition import Step, Template
from shared.workflow.scheduling import MAX_DEPTH


def _calls(subject: Subject) -> Iterator[tuple[str, Step, tuple[str, str]]]:
    for path, step in subject.steps:
        if step.workflow is not None:
            yield path, step, (step.workflow.template, step.workflow.version)


def _unknown(subject: Subject) -> Iterator[Found]:
    for path, _, (name, version) in _calls(subject):
        if subject.called.get((name, version), subject) is None:
            yield Found(f"{path}/workflow", f"there is no {name}@{version}",
                        "store that version first; a called version is pinned")  # fmt: skip


def _parameters(subject: Subject) -> Iterator[Found]:
    """Names only: what the values are is known when the step begins."""
    for path, step, key in _calls(subject):
        called = subject.called.get(key)
        if called is not None:
            yield from _unknown_names(subject, path, step, called)
            yield from _missing_names(path, step, called)


def _unknown_names(subject: Subject, path: str, step: Step, called: Template) -> Iterator[Found]:
    for name in step.parameters:
        if name not in called.parameters:
            close = subject.close(name, called.parameters)
            known = ", ".join(called.parameters) or "none"
            renames = close is not None and close not in step.parameters
            yield Found(
                f"{path}/parameters/{name}",
                f"{called.id}@{called.version} has no parameter `{name}`",
                f"did you mean `{close}`?" if close else f"its parameters: {known}",
                patches.rename(f"{path}/parameters", name, close) if close and renames else (),
            )


def _missing_names(path: str, step: Step, called: Template) -> Iterator[Found]:
    for name, parameter in called.parameters.items():
        if parameter.is_required and name not in step.parameters:
            at = f"{path}/parameters/{name}"
            yield Found(at, f"{called.id}@{called.version} needs `{name}`",
                        "give it in `parameters`")  # fmt: skip


def _recursion(subject: Subject) -> Iterator[Found]:
    template = subject.template
    for path, _, key in _calls(subject):
        if template is not None and key == (template.id, template.version):
            yield Found(f"{path}/workflow", "the workflow calls itself, without end",
                        "use `until` or `foreach` to repeat steps")  # fmt: skip
            continue
        chain = _chain(subject, key, ())
        if chain:
            names = " → ".join(f"{name}@{version}" for name, version in chain)
            yield Found(f"{path}/workflow", f"its calls go too deep: {names}",
                        f"at most {MAX_DEPTH} levels of sub-workflows")  # fmt: skip


def _chain(
    subject: Subject, key: tuple[str, str], before: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    """The calls that lead back to one of them, or too deep, as far as templates are known."""
    here = (*before, key)
    own = (subject.template.id, subject.template.version) if subject.template else None
    if key in before or key == own or len(here) > MAX_DEPTH:
        return here
    called = subject.called.get(key)
    for step in called.every_step if called is not None else ():
        if step.workflow is not None:
            found = _chain(subject, (step.workflow.template, step.workflow.version), here)
            if found:
                return found
    return ()


_HEAD: Final = "id: restore_site\nname: Restore a site\nsteps:\n"
_GOOD: Final = Example(f"""\
{_HEAD}\
  - id: restore
    workflow: {{template: restore_database, version: 1.0.0}}
    parameters: {{dump: latest}}
""")

CALLED_RULE: Final = Rule(
    code="refused-call",
    level="standard",
    severity="error",
    summary="A sub-workflow that is called would itself be refused.",
    why="It is a part of the run: the step that calls it would fail when it is reached, after "
    "everything before it has been done. It is looked at on the level of its own template, and "
    "with the settings of its own category.",
    tags=("calls",),
)

RULES: Final = (
    CALLED_RULE,
    Rule(
        code="unknown-template",
        level="standard",
        severity="error",
        summary="A sub-workflow is not stored in the version that is called.",
        why="The step would fail when it is reached.",
        check=_unknown,
        bad=Example(f"""\
{_HEAD}\
  - id: restore
    workflow: {{template: restore_database, version: 9.9.9}}
    parameters: {{dump: latest}}
"""),
        good=_GOOD,
        tags=("calls",),
    ),
    Rule(
        code="call-parameters",
        level="standard",
        severity="error",
        summary="A sub-workflow does not take what it is given.",
        why="Its execution would be refused when the step is reached.",
        check=_parameters,
        bad=Example(f"""\
{_HEAD}\
  - id: restore
    workflow: {{template: restore_database, version: 1.0.0}}
    parameters: {{dumb: latest, dump: latest}}
"""),
        good=_GOOD,
        tags=("calls",),
    ),
    Rule(
        code="endless-call",
        level="basic",
        severity="error",
        summary="A workflow calls itself, or calls go too deep.",
        why="Every level is an execution of its own; without an end they would fill the system "
        "until the bound stops them.",
        check=_recursion,
        bad=Example(f"""\
{_HEAD}\
  - id: again
    workflow: {{template: restore_site, version: 1.0.0}}
"""),
        good=_GOOD,
    ),
)
