"""Parameter problems: what jsonschema found, said so that an author can mend it.

Messages never repeat a value: a parameter may be a secret.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

from jsonschema.exceptions import ValidationError

PROBLEMS_LIMIT = 50
"""Most problems reported for one set of parameters."""

_WHOLE_EXPRESSION = re.compile(r"\s*\$\{\{(?:(?!\}\}).)*\}\}\s*", re.DOTALL)
_TEXT_RULES = frozenset({"pattern", "enum", "const", "minLength", "maxLength", "format"})
_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}

Kind = Literal["missing", "unknown", "type", "value"]


@dataclass(frozen=True)
class ParameterProblem:
    """One thing wrong with a command's parameters.

    `path` is where, for example `headers.accept` or `argv[0]`, and empty for the parameters as a
    whole; `place` is the same as keys and indexes.
    """

    path: str
    message: str
    fix: str
    kind: Kind = "value"
    place: tuple[str | int, ...] = ()


def describe_all(
    errors: Iterable[ValidationError], *, allow_expressions: bool
) -> list[ParameterProblem]:
    """Turn jsonschema's errors into problems, ordered by path; at most PROBLEMS_LIMIT."""
    kept = (error for error in errors if not (allow_expressions and is_excused(error)))
    problems = {problem for error in kept for problem in _describe(error)}
    return sorted(problems, key=lambda problem: (problem.path, problem.message))[:PROBLEMS_LIMIT]


def is_expression(value: Any) -> bool:
    """Whether the value is exactly one `${{ … }}`: its type is known only when it is evaluated."""
    return isinstance(value, str) and _WHOLE_EXPRESSION.fullmatch(value) is not None


def is_excused(error: ValidationError) -> bool:
    """Whether an expression may still make the value right.

    A whole expression may become any type. Text that only contains one stays text, so only its
    content is open. A choice (anyOf, oneOf) is excused if one of its branches has nothing but
    excused errors.
    """
    # Names are not evaluated, only values.
    if "propertyNames" in error.absolute_schema_path:
        return False
    if is_expression(error.instance):
        return True
    instance: Any = error.instance
    if isinstance(instance, str) and "${{" in instance and error.validator in _TEXT_RULES:
        return True
    if error.validator == "uniqueItems":
        return any(is_expression(item) for item in instance)
    return any(all(is_excused(cause) for cause in branch) for branch in _branches(error))


def _branches(error: ValidationError) -> Iterator[Sequence[ValidationError]]:
    causes = sorted(error.context or (), key=lambda cause: str(cause.schema_path[0]))
    for _, branch in groupby(causes, key=lambda cause: cause.schema_path[0]):
        yield list(branch)


def _describe(error: ValidationError) -> Iterator[ParameterProblem]:
    place: Any = tuple(error.absolute_path)
    path = _path_of(place)
    rule: Any = error.validator_value
    match error.validator:
        case "required":
            instance: Any = error.instance
            for name in rule:
                if name not in instance:
                    schema: Any = error.schema
                    yield ParameterProblem(
                        _join(path, name),
                        "is missing",
                        _how_to_give(schema, name),
                        "missing",
                        (*place, name),
                    )
        case "additionalProperties":
            yield from _unknown_names(place, error)
        case "type":
            yield ParameterProblem(
                path, f"must be {_types(rule)}", "change its type", "type", place
            )
        case "enum" | "const":
            allowed = rule if isinstance(rule, list) else [rule]
            choices = ", ".join(str(choice) for choice in allowed)
            yield ParameterProblem(
                path, "is not one of the allowed values", f"use one of: {choices}", place=place
            )
        case "oneOf" | "anyOf":
            yield replace(_choice(path, error), place=place)
        case "not":
            yield replace(_excluded(path, error), place=place)
        case _:
            yield replace(_bound(path, error), place=place)


def _unknown_names(
    place: tuple[str | int, ...], error: ValidationError
) -> Iterator[ParameterProblem]:
    schema: Any = error.schema
    instance: Any = error.instance
    known = list(schema.get("properties", {}))
    for name in instance:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        listed = ", ".join(sorted(known)) or "nothing"
        fix = f"did you mean '{close[0]}'?" if close else f"remove it; known here: {listed}"
        at = _join(_path_of(place), name)
        yield ParameterProblem(at, "is not a known parameter", fix, "unknown", (*place, name))


def _choice(path: str, error: ValidationError) -> ParameterProblem:
    branches: Any = error.validator_value
    instance: Any = error.instance
    names = _required_alternatives(branches)
    if names:
        given = [name for name in names if name in instance]
        wording = " and ".join(given) + " exclude each other" if given else "one of them is needed"
        fix = f"give exactly one of: {', '.join(names)}"
        return ParameterProblem(path, wording, fix, "value" if given else "missing")
    types = sorted({str(branch.get("type", "another form")) for branch in branches})
    return ParameterProblem(
        path, f"must be {_types(types)}", "change its type or its content", "type"
    )


def _excluded(path: str, error: ValidationError) -> ParameterProblem:
    rule: Any = error.validator_value
    names = rule.get("required", [])
    if not names:
        return ParameterProblem(path, "breaks the rule 'not'", "change the value to fit")
    wording = " and ".join(names) + " exclude each other"
    return ParameterProblem(path, wording, f"give at most one of: {', '.join(names)}")


def _required_alternatives(branches: Sequence[Any]) -> list[str]:
    names = [name for branch in branches for name in branch.get("required", ())]
    return names if all(set(branch) == {"required"} for branch in branches) else []


def _bound(path: str, error: ValidationError) -> ParameterProblem:
    limit = error.validator_value
    wording = {
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
        "exclusiveMinimum": f"must be more than {limit}",
        "exclusiveMaximum": f"must be less than {limit}",
        "minLength": f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters",
        "minItems": f"must have at least {limit} items",
        "maxItems": f"must have at most {limit} items",
        "maxProperties": f"must have at most {limit} entries",
        "pattern": f"must match the pattern {limit}",
        "format": f"must be a {limit}",
    }
    message = wording.get(str(error.validator), f"breaks the rule '{error.validator}'")
    if "propertyNames" in error.absolute_schema_path:
        return ParameterProblem(path, f"has a name that {message}", "change the name to fit")
    return ParameterProblem(path, message, "change the value to fit")


def _how_to_give(schema: Any, name: str) -> str:
    described = schema.get("properties", {}).get(name, {}).get("description", "")
    return f"add '{name}'" + (f": {described}" if described else "")


def _types(types: Any) -> str:
    listed = [types] if isinstance(types, str) else list(types)
    return " or ".join(_TYPE_WORDS.get(name, name) for name in listed)


def _path_of(place: tuple[str | int, ...]) -> str:
    path = ""
    for part in place:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, str(part))
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
