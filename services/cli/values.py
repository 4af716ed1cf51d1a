"""Parameters from the command line: text becomes the type that the template declares.

`-p name=value`, once per parameter. A list takes JSON (`-p tags='["a","b"]'`) or one `-p` per item
(`-p tags=a -p tags=b`); a map takes JSON. `--file` gives a YAML or JSON map; `-p` wins over it.
Whether the values fit is the gateway's to say; here only their types are made.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from services.cli.outcome import CliError
from shared.contracts.api.problems import FieldProblem

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_INFINITE = (float("inf"), float("-inf"))
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")

Schema = Mapping[str, Any]


def checked_definition(
    model: type[BaseModel], wanted: Mapping[str, Any], what: str, fix: str
) -> dict[str, Any]:
    """A definition as it is sent. Raises `CliError` with every field that does not fit; `fix` says
    where to look."""
    try:
        return model.model_validate(wanted).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        fields = tuple(
            FieldProblem(
                field="/".join(map(str, one["loc"])),
                message=one["msg"].removeprefix("Value error, "),
                fix=fix,
            )
            for one in error.errors(include_url=False, include_input=False)
        )
        raise CliError(f"That is no {what}.", fields=fields) from None


def parameters_of(
    given: Sequence[str], schema: Schema, from_file: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The parameters of a run. `schema` is the template's JSON Schema of its parameters.

    Raises `CliError` with every problem found.
    """
    known: Schema = schema.get("properties", {})
    texts: dict[str, list[str]] = {}
    problems: list[FieldProblem] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            problems.append(_problem(text, "is not name=value", "write -p name=value"))
        elif name not in known:
            problems.append(_unknown(name, known))
        else:
            texts.setdefault(name, []).append(value)
    values = dict(from_file or {})
    problems += [_unknown(name, known) for name in values if name not in known]
    for name, written in texts.items():
        try:
            values[name] = _value(written, known[name])
        except ValueError as error:
            problems.append(_problem(f"-p {name}", str(error), _how(known[name])))
    if problems:
        raise CliError("The parameters do not fit the template.", fields=tuple(problems))
    return values


def read_parameters(path: Path) -> dict[str, Any]:
    """A YAML or JSON file with one map of parameters. Raises `CliError`."""
    from shared.templates.document import TemplateFileError, parse
    from shared.templates.loader import read_text

    try:
        value = parse(read_text(path)).value
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}.") from None
    except TemplateFileError as error:
        raise CliError(f"{path}: {error}") from None
    if not isinstance(value, dict):
        raise CliError(f"{path} must hold a map of parameters, such as `severity: high`.")
    return value


def _value(written: Sequence[str], schema: Schema) -> Any:
    if schema.get("type") == "array" and not (len(written) == 1 and written[0][:1] == "["):
        items = schema.get("items")
        return [_single(text, items if isinstance(items, Mapping) else {}) for text in written]
    if len(written) > 1:
        raise ValueError("is given more than once")
    return _single(written[0], schema)


def _single(text: str, schema: Schema) -> Any:
    match schema.get("type", "string"):
        case "string":
            return text
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
        case "array":
            return _json(text, list, "a JSON list")
        case "object":
            return _json(text, dict, "a JSON map")
        case _:
            return text


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a whole number")
    return int(text)


def _number(text: str) -> float | int:
    try:
        return _json(text, (int, float), "a number")  # type: ignore[no-any-return]
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not a number") from None


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{text[:80]!r} is neither true nor false")
    return word in _TRUE


def _json(text: str, kind: type | tuple[type, ...], what: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "too deep or too long")
        raise ValueError(f"is not JSON: {reason}") from None
    if not isinstance(value, kind) or isinstance(value, bool) or value in _INFINITE:
        raise ValueError(f"is not {what}")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _how(schema: Schema) -> str:
    """What to write for a parameter, by its type and its enum."""
    if isinstance(schema.get("enum"), list):
        return "one of: " + ", ".join(map(str, schema["enum"]))
    return {
        "integer": "write a whole number such as 3",
        "number": "write a number such as 2.5",
        "boolean": "write true or false",
        "array": 'write a JSON list such as ["a", "b"], or one -p per item',
        "object": 'write a JSON map such as {"a": 1}, in single quotes',
    }.get(str(schema.get("type")), "write -p name=value")


def _unknown(name: str, known: Schema) -> FieldProblem:
    close = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {close[0]}?" if close else f"it takes: {', '.join(known) or 'none'}"
    return _problem(name, "the template has no such parameter", fix)


def _problem(field: str, message: str, fix: str) -> FieldProblem:
    return FieldProblem(field=field, message=message, fix=fix, code="invalid_parameter")
