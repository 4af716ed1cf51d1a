"""Text into plain data, with the place of every value: the bounded reader of template files.

The law:

* Only data: no tags, no anchors that are used, no second document. What YAML 1.1 reads as a truth
  value (`on`, `yes`) is text here: plain values are read as YAML 1.2 reads them, decimals only.
* Nothing can blow up: size, depth and the number of values are bounded, and aliases, the means of
  the "billion laughs", are refused.
* A key written twice is an error, never the silent loss of the first.
* Every error and every value has a line and a column, counted from 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from shared.workflow.errors import DefinitionError, Problem

MAX_BYTES: Final = 1_048_576
"""Largest template file."""

MAX_DEPTH: Final = 40
"""Deepest nesting of maps and lists."""

MAX_VALUES: Final = 100_000
"""Most values, keys included, in one file."""

INTEGER: Final = re.compile(r"[-+]?[0-9]+")
FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS: Final = 400
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[int, int]
"""Line and column, from 1."""


class PlacedProblem(Problem):
    """A problem, and where in the text it is: line and column from 1, 0 when that is not known."""

    line: int = 0
    column: int = 0


class TemplateFileError(DefinitionError):
    """The text is not a template; `problems` lists every reason, each with its place."""

    def __init__(self, problems: list[PlacedProblem]) -> None:
        super().__init__(problems)
        self.placed = tuple(problems)

    def __str__(self) -> str:
        return "; ".join(map(describe, self.placed))


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds, and where each value is (by its path, such as `steps/2/when`); `text` and
    `scalars` tell where a part of one is."""

    value: Any
    places: Mapping[str, Place] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    scalars: Mapping[str, tuple[int, int, str]] = field(default_factory=dict, repr=False)
    """Where each text begins, after its key, and its style: `|`, `>`, a quote, or nothing."""

    def inside(self, path: str, offset: int) -> Place:
        """The place of a character of a text, by its offset from 0; where that cannot be known
        (in folded or escaped texts), the place of the text."""
        found = self.scalars.get(path)
        value = self._at(path)
        if found is None or not isinstance(value, str):
            return self.place(path)
        line, column, style = found
        lines = self.text.split("\n")
        if style == "|":
            before = value[:offset]
            own = [one for one in lines[line:] if one.strip()]
            indent = len(own[0]) - len(own[0].lstrip(" ")) if own else 0
            number = line + 1 + before.count("\n")
            return (number, indent + offset - (before.rfind("\n") + 1) + 1)
        start = column - 1 + (1 if style in ("'", '"') else 0)
        same = "\n" not in value and lines[line - 1][start:].startswith(value)
        return (line, start + offset + 1) if same else self.place(path)

    def _at(self, path: str) -> Any:
        value = self.value
        for part in path.split("/") if path else ():
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def place(self, path: str) -> Place:
        """The place of a value, or of the nearest one around it; (0, 0) when none is known."""
        while path not in self.places and path:
            path = path.rpartition("/")[0]
        return self.places.get(path, (0, 0))


def describe(problem: Problem) -> str:
    """A problem as one sentence: where, what, and what to do."""
    line = getattr(problem, "line", 0)
    where = f"line {line}, column {getattr(problem, 'column', 0)}: " if line else ""
    path = f"{problem.path}: " if problem.path else ""
    fix = f" ({problem.fix})" if problem.fix else ""
    return f"{where}{path}{problem.message}{fix}"


def parse(text: str) -> Document:
    """Read JSON (text that begins with `{` or `[`) or YAML; raises `TemplateFileError`."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _error(
            "too_large", f"larger than {MAX_BYTES // 1024} KiB", "split it into smaller templates"
        )
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return _parse_json(text.lstrip("\ufeff"))
    return _YamlReader(text).read()


def _parse_json(text: str) -> Document:
    _check_json_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = (error.lineno, error.colno)
        raise _error("not_json", error.msg, "write valid JSON, or YAML", place) from None
    except ValueError:  # Python refuses numbers of thousands of digits
        raise _error("not_json", "a number has too many digits", "write it as a string") from None
    return Document(value, dict(_json_places(text)), text)


_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def _json_places(text: str) -> Iterator[tuple[str, Place]]:
    """Where each value of valid JSON is: the place of its key, or of itself in a list."""
    lines = _LineCounter(text)
    stack: list[tuple[str, int]] = []  # the path of each open map or list, and the next index
    key, path, expects_key = "", "", False
    yield "", lines.place(len(text) - len(text.lstrip()))
    for match in _JSON_TOKEN.finditer(text):
        part = match.group()
        if part in "}]":
            stack.pop()
            expects_key = False
        elif part == ",":
            expects_key = stack[-1][1] < 0
        elif part == ":":
            pass
        elif expects_key:
            key, expects_key = json.loads(part), False
            path = _join(stack[-1][0], key)
            yield path, lines.place(match.start())
        else:
            if stack and stack[-1][1] >= 0:
                holder, index = stack[-1]
                path, stack[-1] = _join(holder, index), (holder, index + 1)
                yield path, lines.place(match.start())
            if part in "{[":
                stack.append((path, -1 if part == "{" else 0))
                expects_key = part == "{"


class _LineCounter:
    """Lines and columns of offsets that only grow."""

    def __init__(self, text: str) -> None:
        self._text, self._line, self._start, self._at = text, 1, 0, 0

    def place(self, offset: int) -> Place:
        """Line and column from 1."""
        newlines = self._text.count("\n", self._at, offset)
        if newlines:
            self._line += newlines
            self._start = self._text.rfind("\n", 0, offset) + 1
        self._at = offset
        return (self._line, offset - self._start + 1)


def _check_json_depth(text: str) -> None:
    """Look at the brackets outside of strings, so that the parser never recurses too deeply."""
    depth = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', text, re.DOTALL):
        bracket = match.group()
        if bracket in ("{", "["):
            depth += 1
        elif bracket in ("}", "]"):
            depth -= 1
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, match.start()) + 1
            raise _too_deep((line, match.start() - text.rfind("\n", 0, match.start())))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _duplicate(key, (0, 0))
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise _error("not_json", f"{name} is not a JSON value", "write a finite number")


class _YamlReader:
    """Builds data from the parser's events, counting as it goes."""

    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._places: dict[str, Place] = {}
        self._scalars: dict[str, tuple[int, int, str]] = {}
        self._text = text
        self._values = 0

    def read(self) -> Document:
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            reason = " ".join(filter(None, (error.context, error.problem)))
            raise _error("not_yaml", reason, "write valid YAML", _place(error)) from None
        except yaml.YAMLError as error:
            reason = str(error).splitlines()[0]
            raise _error("not_yaml", reason, "use UTF-8 text without control characters") from None

    def _document(self) -> Document:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _error("empty", "there is nothing in it", "write at least id, name and steps")
        value = self._value(next(self._events), "", 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            fix = "put each template into a file of its own"
            raise _error("several_documents", "there is a second document", fix, _place(event))
        return Document(value, self._places, self._text, self._scalars)

    def _value(self, event: Any, path: str, depth: int) -> Any:
        place = _place(event)
        self._places.setdefault(path, place)
        self._count(place)
        if isinstance(event, yaml.AliasEvent):
            fix = f"write the value of *{event.anchor} out"
            raise _error("alias", "aliases are not allowed", fix, place)
        if event.tag not in (None, "!"):
            raise _error("tag", f"tag {event.tag} is not allowed", "remove it", place)
        if isinstance(event, yaml.ScalarEvent):
            self._scalars[path] = (*place, event.style or "")
            return _plain(event.value, place) if event.implicit[0] else event.value
        if depth >= MAX_DEPTH:
            raise _too_deep(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path, depth + 1)
        return self._map(path, depth + 1)

    def _list(self, path: str, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, _join(path, len(items)), depth))
        return items

    def _map(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = _place(event)
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise _error("key", "a key must be plain text", "write a name", place)
            key = event.value
            self._count(place)
            if key in found:
                raise _duplicate(key, place)
            self._places[_join(path, key)] = place
            found[key] = self._value(next(self._events), _join(path, key), depth)
        return found

    def _count(self, place: Place) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            fix = "split it into smaller templates"
            raise _error("too_large", f"holds more than {MAX_VALUES} values", fix, place)


def _plain(text: str, place: Place) -> Any:
    """A value written without quotes: YAML 1.2's words and decimal numbers, or text."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise _error("number", f"{text} is too large", "write it as a string", place)
        return value
    return text


def _join(path: str, name: object) -> str:
    return f"{path}/{name}" if path else str(name)


def _place(source: Any) -> Place:
    mark = getattr(source, "start_mark", None) or getattr(source, "problem_mark", None)
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _too_deep(place: Place) -> TemplateFileError:
    message = f"nested deeper than {MAX_DEPTH} levels"
    return _error("too_deep", message, "flatten it", place)


def _duplicate(key: str, place: Place) -> TemplateFileError:
    return _error(
        "duplicate_key", f"key {key[:100]!r} is written twice", "remove one of them", place
    )


def _error(code: str, message: str, fix: str, place: Place = (0, 0)) -> TemplateFileError:
    problem = PlacedProblem(
        path="", code=code, message=message, fix=fix, line=place[0], column=place[1]
    )
    return TemplateFileError([problem])
