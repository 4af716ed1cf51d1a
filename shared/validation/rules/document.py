"""Rules about the document: readable, bounded, and in the shape of a template."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

from shared.validation import patches
from shared.validation.rule import Check, Example, Found, Rule
from shared.validation.schema import fields_at
from shared.validation.subject import Subject
from shared.workflow.errors import Problem

_UNREADABLE: Final = (
    *("not_yaml", "not_json", "not_utf8", "empty", "several_documents", "tag", "key", "number"),
    *("model_type", "dict_type"),
)
_TOO_LARGE: Final = ("too_large", "too_deep", "too_long", "string_too_long")
_STEP_ID: Final = re.compile(r"(?:steps|on_failure|finally)/\d+/(?:id|depends_on/\d+)")


def _told(*codes: str) -> Check:
    """A check that passes on what reading the document found."""

    def check(subject: Subject) -> Iterator[Found]:
        return map(_found, subject.with_code(*codes))

    return check


def _found(problem: Problem, **more: Any) -> Found:
    line, column = getattr(problem, "line", 0), getattr(problem, "column", 0)
    place = (line, column) if line else None
    return Found(problem.path, problem.message, problem.fix, place=place, **more)


def _unreadable(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code(*_UNREADABLE):
        if problem.code not in ("model_type", "dict_type"):
            yield _found(problem)
        elif not problem.path:
            yield Found("", "a template is a map of fields", "write at least id, name and steps")


def _unknown_fields(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("unknown_field"):
        *holder, name = problem.path.split("/")
        at = "/".join(holder)
        written = subject.value(at) or {}
        known = sorted(fields_at(holder) - written.keys())
        close = difflib.get_close_matches(name, known, n=1)
        if close:
            patch = patches.rename(at, name, close[0])
            yield Found(problem.path, f"there is no field `{name}` here", f"did you mean "
                        f"`{close[0]}`?", patch)  # fmt: skip
        else:
            yield Found(problem.path, f"there is no field `{name}` here", "remove it")


def _wrong_types(subject: Subject) -> Iterator[Found]:
    for problem in subject.problems:
        if _is_type(problem) and problem.path:
            yield _found(problem, patch=_converted(subject, problem))


def _is_type(problem: Problem) -> bool:
    return problem.code.endswith(("_type", "_parsing")) or problem.code == "int_from_float"


def _converted(subject: Subject, problem: Problem) -> tuple[Any, ...]:
    """Where a single value stands for a list, or a number for a text, it is clear what is meant."""
    value = subject.value(problem.path)
    if problem.code == "tuple_type" and isinstance(value, str):
        return patches.replace(problem.path, [value])
    if problem.code == "string_type" and isinstance(value, int | float):
        return patches.replace(problem.path, str(value).lower())
    return ()


def _names(subject: Subject) -> Iterator[Found]:
    for problem in subject.problems:
        if problem.code == "string_pattern_mismatch":
            yield _found(problem, patch=_renamed(subject, problem.path))
        elif problem.code == "value_error" and "meaning of its own" in problem.message:
            yield _found(problem)


def _renamed(subject: Subject, path: str) -> tuple[Any, ...]:
    """A step's id in the form of ids, the same wherever it is waited for; none that is taken."""
    value = subject.value(path)
    if not isinstance(value, str) or not _STEP_ID.fullmatch(path):
        return ()
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", value).lower())
    name = name.strip("_")[:63]
    taken = name in _written_ids(subject) and path.endswith("/id")
    return () if taken or not name or not name[0].isalpha() else patches.replace(path, name)


def _written_ids(subject: Subject) -> list[str]:
    return [str(one) for _, one in _step_ids(subject)]


def _step_ids(subject: Subject) -> Iterator[tuple[str, Any]]:
    for section in ("steps", "on_failure", "finally"):
        steps = subject.value(section)
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, dict) and "id" in step:
                yield f"{section}/{index}/id", step["id"]


def _duplicate_ids(subject: Subject) -> Iterator[Found]:
    first: dict[Any, str] = {}
    for path, name in _step_ids(subject):
        if not isinstance(name, str):
            continue
        if name in first:
            other = first[name].removesuffix("/id")
            yield Found(path, f"step id `{name}` is used twice, first at {other}",
                        "give one of the steps another id")  # fmt: skip
        first.setdefault(name, path)


def _checkpoints(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("unknown_checkpoint"):
        yield Found("policies/rollback/to_checkpoint", problem.message,
                    "name a `checkpoint` of a step, or leave it out")  # fmt: skip
    for problem in subject.with_code("duplicate_checkpoint"):
        yield Found("", problem.message, "rename one of them")


def _contradictions(subject: Subject) -> Iterator[Found]:
    for problem in subject.with_code("value_error"):
        if isinstance(subject.value(problem.path), dict):
            yield _found(problem)


_KNOWN: Final = {
    *_UNREADABLE, *_TOO_LARGE, "alias", "duplicate_key", "unknown_field", "missing", "value_error",
    "string_pattern_mismatch", "duplicate_step_id", "unknown_checkpoint", "duplicate_checkpoint",
}  # fmt: skip


def _values(subject: Subject) -> Iterator[Found]:
    """What reading refused for any other reason: bounds and choices."""
    if subject.template is None:
        for problem in subject.problems:
            if problem.code not in _KNOWN and not _is_type(problem):
                yield _found(problem)
        for problem in subject.with_code("value_error"):
            own = "meaning of its own" in problem.message
            if not own and not isinstance(subject.value(problem.path), dict):
                yield _found(problem)


_SOUND: Final = Example("""\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    timeout_s: 60
""")


def _rule(code: str, summary: str, why: str, check: Check, bad: str) -> Rule:
    return Rule(
        code=code,
        level="basic",
        severity="error",
        summary=summary,
        why=why,
        check=check,
        bad=Example(bad),
        good=_SOUND,
        binding=True,
    )


RULES: Final = (
    _rule(
        "malformed-document",
        "The text is neither YAML nor JSON, or no template.",
        "Nothing can be said about a definition that cannot be read.",
        _unreadable,
        "id: rotate_logs\nname: 'Rotate the logs\nsteps: []\n",
    ),
    _rule(
        "document-too-large",
        "The document, a list or a text is larger than allowed.",
        "Bounds keep one definition from taking the memory of everybody who reads it. A workflow "
        "of thousands of steps is better written as a loop or as sub-workflows.",
        _told(*_TOO_LARGE),
        f"id: rotate_logs\nname: {'x' * 201}\nsteps:\n  - {{id: rotate, command: noop}}\n",
    ),
    _rule(
        "yaml-alias",
        "The document uses a YAML alias.",
        "Aliases let a small text stand for a huge one (the “billion laughs”), and hide from a "
        "reader what a step really has.",
        _told("alias"),
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    retry: &often {max_attempts: 3}
  - id: again
    command: noop
    retry: *often
""",
    ),
    _rule(
        "duplicate-key",
        "A key is written twice in one map.",
        "Most readers of YAML silently keep the last one; what stands first would be lost.",
        _told("duplicate_key"),
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    timeout_s: 60
    timeout_s: 600
""",
    ),
    _rule(
        "unknown-field",
        "A field is not known where it stands.",
        "A misspelt `depend_on` that is ignored lets a step start too early. So every field must "
        "be known.",
        _unknown_fields,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    timeout: 60
""",
    ),
    _rule(
        "missing-field",
        "A field that is needed is not there.",
        "Without it the definition does not say what is to be done.",
        _told("missing"),
        "id: rotate_logs\nsteps:\n  - id: rotate\n    command: noop\n",
    ),
    _rule(
        "wrong-type",
        "A value has another type than its field.",
        "A text where a number belongs would be guessed at; here nothing is guessed.",
        _wrong_types,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    depends_on: prepare
""",
    ),
    _rule(
        "invalid-name",
        "A name does not have the form of names.",
        "Ids are used in expressions, subjects and file names, so they are lower-case words: "
        "letters, digits and underscores, and no word that means something in expressions.",
        _names,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: Rotate-Logs
    command: noop
""",
    ),
    _rule(
        "invalid-value",
        "A value is outside of what its field allows.",
        "Each bound has a reason: a negative timeout never ends well.",
        _values,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    timeout_s: -5
""",
    ),
    _rule(
        "duplicate-step-id",
        "Two steps have the same id.",
        "Dependencies, outputs and logs name steps by their ids: of two it would be unclear which "
        "one is meant.",
        _duplicate_ids,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
  - id: rotate
    command: noop
""",
    ),
    _rule(
        "unknown-checkpoint",
        "A checkpoint is named that no step has, or two have.",
        "When an execution is to go back to it, it must be certain where that is.",
        _checkpoints,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    checkpoint: before_rotation
policies:
  rollback: {strategy: checkpoint, to_checkpoint: before_rotate}
""",
    ),
    _rule(
        "contradictory-fields",
        "Fields contradict each other.",
        "One of them would be ignored, and nobody could say which.",
        _contradictions,
        """\
id: rotate_logs
name: Rotate the logs
steps:
  - id: rotate
    command: noop
    else: [other]
  - id: other
    command: noop
""",
    ),
)
