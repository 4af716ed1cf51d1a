"""Expressions: CEL, compiled once, type-checked, with bounded size and time.

The law:

* An expression sees only what it was declared to see (`Scope`); anything else is an error when
  it is compiled, not when it runs.
* Types are checked at compile time. A dotted name such as `steps.fetch.output.code` is declared as
  one variable with its own type, so that `steps.fetch.output.cod` is an undeclared reference and
  `steps.fetch.output.code == "200"` a type error. An expression that uses `has()` is checked with
  untyped outputs instead: the macro needs a map to look into.
* Nothing can run away: the source is at most `MAX_SOURCE` characters and 32 levels deep, CEL always
  terminates, and the library stops comprehensions at its iteration budget. What builds new lists
  or texts (`map`, `filter`, `replace`, `join`, `format`) costs more than it looks: at most
  `MAX_BUILDERS` of them in one expression, on lists of at most `MAX_BUILD_ITEMS`. Regular
  expressions are RE2. A rendered value is at most `MAX_RENDERED_BYTES`.
* The result is plain JSON data (`None, bool, int, float, str, list, dict`), never a library object.
* An expression that is nothing but a declared name takes its value over as it is.
* A text with a secret in it is not rendered here: it stays as it was written, and is evaluated on
  the agent (`shared.workflow.late`).
"""

from __future__ import annotations

import json
import math
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from shared.workflow.errors import ExpressionError
from shared.workflow.placeholders import placeholders

MAX_SOURCE: Final = 2_000
"""Longest expression, in characters."""

SECRETS: Final = "secrets."
"""Names that begin so have their values on agents only."""

MAX_BUILDERS: Final = 5
"""Most calls in one expression that build new lists or texts."""
MAX_BUILD_ITEMS: Final = 2_000
"""Longest list that such an expression may be given: building one is quadratic in its length."""
MAX_RENDERED_BYTES: Final = 1024 * 1024
"""Largest value with filled-in places, as JSON: it becomes part of a task or of the outputs."""
MOST_COMPILED: Final = 4_096
"""Compiled expressions that are kept, those used last."""
MOST_ENVIRONMENTS: Final = 1_024
"""Environments that are kept: one for each set of variables."""

Types = tuple[tuple[str, str], ...]
"""Variables with the names of their types."""

_QUOTES: Final = ('"{3}', "'{3}", '"', "'")
_RAW: Final = "|".join(f"{quote}.*?{quote}" for quote in _QUOTES)
_QUOTED: Final = "|".join(rf"{quote}(?:\\.|[^\\])*?{quote}" for quote in _QUOTES)
_LITERAL: Final = re.compile(
    rf"//[^\n]*|(?<!\w)(?:b?r|rb)(?:{_RAW})|{_QUOTED}", re.IGNORECASE | re.DOTALL
)
"""Comments and string literals: what is in them is no name."""
_PATH: Final = re.compile(
    r"(?<![\w.)\]}\"'])\.?\s*([a-z_]\w*(?:\s*\.\s*[a-z_]\w*)*)", re.IGNORECASE
)
_HAS: Final = re.compile(r"\bhas\s*\(")
_BUILDER: Final = re.compile(r"\.\s*(?:map|filter|replace|join|format)\s*\(")

_JSON_TYPES: Final[Mapping[str, cel.Type]] = {
    "string": cel.Type.STRING,
    "integer": cel.Type.INT,
    "number": cel.Type.DOUBLE,
    "boolean": cel.Type.BOOL,
    "object": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "array": cel.Type.LIST,
}

_KINDS: Final[Mapping[str, str]] = {
    "STRING": "string",
    "INT": "integer",
    "DOUBLE": "number",
    "BOOL": "boolean",
    "MAP": "object",
    "LIST": "array",
}


def cel_type(schema: Mapping[str, Any]) -> cel.Type:
    """The CEL type of values that satisfy a JSON Schema; `dyn` where it is not certain."""
    kind = schema.get("type")
    if not isinstance(kind, str):
        return cel.Type.DYN
    if kind == "array":
        items = schema.get("items")
        return cel.Type.List(cel_type(items) if isinstance(items, Mapping) else cel.Type.DYN)
    return _JSON_TYPES.get(kind, cel.Type.DYN)


@dataclass(frozen=True)
class Scope:
    """The variables an expression may use: dotted name to CEL type."""

    variables: Mapping[str, cel.Type]

    def plus(self, variables: Mapping[str, cel.Type]) -> Scope:
        """This scope with more variables."""
        return Scope({**self.variables, **variables})

    def loose(self) -> Scope:
        """The same without the variables that lie inside another one (for `has()`)."""
        names = self.variables
        return Scope({n: t for n, t in names.items() if not any(p in names for p in _prefixes(n))})


class Expressions:
    """What was compiled, by source and by the types of the variables that it mentions.

    Only those are declared to the library: many expressions of a template, and of all versions of
    it, mention the same few, and an environment costs more than all that is compiled in it.
    """

    def __init__(
        self, most_compiled: int = MOST_COMPILED, most_environments: int = MOST_ENVIRONMENTS
    ) -> None:
        self._most = most_compiled, most_environments
        self._compiled: OrderedDict[tuple[str, Types], cel.Expression] = OrderedDict()
        self._environments: OrderedDict[Types, cel.Env] = OrderedDict()

    def compiled(self, source: str, scope: Scope, needs: Iterable[str]) -> cel.Expression:
        """An expression with these variables of a scope; raises `ExpressionError`."""
        types = tuple((name, scope.variables[name].name()) for name in needs)
        found = self._compiled.get((source, types))
        if found is not None:
            self._compiled.move_to_end((source, types))
            return found
        try:
            made = self._environment(scope, types).compile(source)
        except RuntimeError as error:
            raise ExpressionError(source, _reason(error)) from None
        return _keep(self._compiled, (source, types), made, self._most[0])

    def _environment(self, scope: Scope, types: Types) -> cel.Env:
        found = self._environments.get(types)
        if found is not None:
            self._environments.move_to_end(types)
            return found
        variables = {name: scope.variables[name] for name, _ in types}
        made = cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])
        return _keep(self._environments, types, made, self._most[1])


def _keep(kept: OrderedDict[Any, Any], key: Any, made: Any, most: int) -> Any:
    """Keep what was made; the one that was used longest ago goes when there are too many."""
    kept[key] = made
    if len(kept) > most:
        kept.popitem(last=False)
    return made


_EXPRESSIONS: Final = Expressions()


class Compiled:
    """A type-checked expression that can be evaluated any number of times."""

    __slots__ = ("_builds", "_expression", "_is_name", "needs", "numeric", "source")

    def __init__(self, source: str, scope: Scope) -> None:
        """Compile `source`; raises `ExpressionError` with the reason and its position."""
        self.source = source.strip()
        if len(self.source) > MAX_SOURCE:
            raise ExpressionError(self.source[:40] + "…", f"longer than {MAX_SOURCE} characters")
        code = code_of(self.source)
        if _HAS.search(code):
            scope = scope.loose()
        self._builds = len(_BUILDER.findall(code))
        if self._builds > MAX_BUILDERS:
            reason = f"more than {MAX_BUILDERS} of map, filter, replace, join and format"
            raise ExpressionError(self.source, reason)
        self.needs = _needed(code, scope.variables)
        self._is_name = self.source in scope.variables
        self.numeric = frozenset(n for n in self.needs if scope.variables[n] == cel.Type.DOUBLE)
        self._expression = _EXPRESSIONS.compiled(self.source, scope, self.needs)

    @property
    def uses_secrets(self) -> bool:
        """True when it has no value but on an agent."""
        return any(name.startswith(SECRETS) for name in self.needs)

    @property
    def is_boolean(self) -> bool:
        """True when the result is a truth value, or not known before it is evaluated."""
        return self._expression.return_type() in (cel.Type.BOOL, cel.Type.DYN)

    @property
    def json_type(self) -> str | None:
        """The JSON type of the result, such as `integer`; nothing where it is not certain."""
        return _KINDS.get(self._expression.return_type().name().partition("<")[0])

    def evaluate(self, data: Mapping[str, Any]) -> Any:
        """The value as plain JSON data. `data` holds a value for each name in `needs` it can.

        Raises `ExpressionError` when a value is missing or an operation fails on it.
        """
        if self._is_name:
            if self.source not in data:
                raise ExpressionError(self.source, "it has no value")
            return data[self.source]
        bound = self._bound(data)
        try:
            value = self._expression.eval(data=bound)
            if value.type() == cel.Type.ERROR:
                raise ExpressionError(self.source, _reason(value.value()))
            return _plain(value.plain_value())
        except (RuntimeError, TypeError, ValueError) as error:
            raise ExpressionError(self.source, _reason(error)) from None

    def _bound(self, data: Mapping[str, Any]) -> dict[str, Any]:
        bound = {name: data[name] for name in self.needs if name in data}
        bound = as_fractions(bound, self.numeric)
        limit = MAX_BUILD_ITEMS if self._builds else None
        reason = next(_unfit(bound, limit), None)
        if reason is not None:
            raise ExpressionError(self.source, reason)
        return bound

    def test(self, data: Mapping[str, Any]) -> bool:
        """The value of a condition; anything but a truth value is an error."""
        value = self.evaluate(data)
        if not isinstance(value, bool):
            raise ExpressionError(self.source, f"must be true or false, is {type(value).__name__}")
        return value


class Rendered:
    """A JSON value with `${{ expr }}` inside, compiled: `render` fills the places in.

    A string that is one place and nothing else takes the value with its type; otherwise values are
    put into the text as text (JSON for lists and maps).
    """

    __slots__ = ("_parts", "late", "needs", "numeric")

    def __init__(self, value: Any, scope: Scope) -> None:
        """Compile every place in `value`; raises `ExpressionError` for the first bad one."""
        self._parts = _compile_value(value, scope)
        self.late = tuple(_late_texts(self._parts))
        self.needs = tuple(sorted(set(_collect_needs(self._parts))))
        self.numeric = frozenset(n for n in self.needs if scope.variables[n] == cel.Type.DOUBLE)

    @property
    def expressions(self) -> Iterator[Compiled]:
        """Every expression in it, those on agents among them."""
        return _expressions(self._parts)

    @property
    def wholes(self) -> Iterator[tuple[Place, Compiled]]:
        """The expressions that make a value by themselves, with where each stands."""
        return _wholes(self._parts)

    def render(self, data: Mapping[str, Any]) -> Any:
        """The value with every place filled in; raises `ExpressionError`."""
        value = _render(self._parts, data)
        if self.needs:
            check_size(value, self.needs[0])
        return value

    def known(self, data: Mapping[str, Any]) -> Any:
        """The value with those places filled in for which `data` has all it takes; the others
        stay as they were written. Raises `ExpressionError`."""
        return _render(_known_parts(self._parts, data), data)


def check_size(value: Any, source: str) -> None:
    """Raise `ExpressionError`, about `source`, when a rendered value is too large."""
    if json_size(value) > MAX_RENDERED_BYTES:
        raise ExpressionError(source, f"the whole takes more than {MAX_RENDERED_BYTES // 1024} KiB")


def as_fractions(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The same data, with whole numbers among these names as what they were declared to be."""
    whole = {name: float(data[name]) for name in names if type(data.get(name)) is int}
    return {**data, **whole}


Place = tuple[str | int, ...]
"""The keys and indexes that lead to a text in a JSON value."""


@dataclass(frozen=True, slots=True)
class LateText:
    """A text with a secret in it, as it was written."""

    text: str
    parts: tuple[str | Compiled, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    """A string with places: literals and expressions in turn."""

    parts: tuple[str | Compiled, ...]


def _compile_value(value: Any, scope: Scope) -> Any:
    if isinstance(value, str):
        return _compile_text(value, scope)
    if isinstance(value, Mapping):
        return {key: _compile_value(item, scope) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_compile_value(item, scope) for item in value]
    return value


def _compile_text(text: str, scope: Scope) -> Any:
    if "${{" not in text:
        return text
    parts = split_text(text, scope)
    if any(isinstance(part, Compiled) and part.uses_secrets for part in parts):
        return LateText(text, parts)
    return parts[0] if len(parts) == 1 else _Text(parts)


def split_text(text: str, scope: Scope) -> tuple[str | Compiled, ...]:
    """The literals and the expressions of a text in turn; raises `ExpressionError`."""
    parts: list[str | Compiled] = []
    end = 0
    for match in placeholders(text):
        parts.append(text[end : match.start()])
        parts.append(Compiled(match.group(1), scope))
        end = match.end()
    parts.append(text[end:])
    if any(isinstance(part, str) and "${{" in part for part in parts):
        raise ExpressionError(text[:80], "`${{` is not closed by `}}`")
    return tuple(part for part in parts if part != "")


def codes_in(text: str) -> list[str]:
    """The expressions in a text, without their comments and literals: what is left names things."""
    return [code_of(m[1]) for m in placeholders(text) if len(m[1]) <= MAX_SOURCE]


def sources_in(text: str) -> list[str]:
    """The expressions in a text, as they were written."""
    return [match.group(1).strip() for match in placeholders(text)]


def names_in(source: str) -> tuple[str, ...]:
    """The dotted names that an expression mentions, in order: variables, fields of them, and
    functions."""
    found = _PATH.finditer(code_of(source))
    return tuple(dict.fromkeys(re.sub(r"\s", "", match.group(1)) for match in found))


def code_of(source: str) -> str:
    """An expression without its comments, and with nothing in its literals."""
    return _LITERAL.sub('""', source)


def _render(part: Any, data: Mapping[str, Any]) -> Any:
    if isinstance(part, Compiled):
        return part.evaluate(data)
    if isinstance(part, _Text):
        return "".join(p if isinstance(p, str) else as_text(p.evaluate(data)) for p in part.parts)
    if isinstance(part, LateText):
        return part.text
    if isinstance(part, dict):
        return {key: _render(item, data) for key, item in part.items()}
    if isinstance(part, list):
        return [_render(item, data) for item in part]
    return part


def _known_parts(part: Any, data: Mapping[str, Any]) -> Any:
    if isinstance(part, Compiled):
        return part if data.keys() >= set(part.needs) else f"${{{{ {part.source} }}}}"
    if isinstance(part, _Text):
        return _Text(tuple(_known_parts(piece, data) for piece in part.parts))
    if isinstance(part, dict):
        return {key: _known_parts(item, data) for key, item in part.items()}
    if isinstance(part, list):
        return [_known_parts(item, data) for item in part]
    return part


def _collect_needs(part: Any) -> Iterable[str]:
    for one in _expressions(part):
        yield from (name for name in one.needs if not name.startswith(SECRETS))


def _late_texts(part: Any, place: Place = ()) -> Iterator[tuple[Place, LateText]]:
    if isinstance(part, LateText):
        yield place, part
    elif isinstance(part, dict):
        for key, item in part.items():
            yield from _late_texts(item, (*place, key))
    elif isinstance(part, list):
        for index, item in enumerate(part):
            yield from _late_texts(item, (*place, index))


def _expressions(part: Any) -> Iterator[Compiled]:
    if isinstance(part, Compiled):
        yield part
    elif isinstance(part, _Text | LateText):
        yield from (piece for piece in part.parts if isinstance(piece, Compiled))
    elif isinstance(part, dict | list):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _expressions(item)


def _wholes(part: Any, place: Place = ()) -> Iterator[tuple[Place, Compiled]]:
    if isinstance(part, Compiled):
        yield place, part
    elif isinstance(part, dict):
        for key, item in part.items():
            yield from _wholes(item, (*place, key))
    elif isinstance(part, list):
        for index, item in enumerate(part):
            yield from _wholes(item, (*place, index))


def as_text(value: Any) -> str:
    """How a value is put into a longer text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    if isinstance(value, list | dict):
        return json_text(value)
    return str(value)


def json_text(value: Any) -> str:
    """Compact JSON with sorted keys: the one textual form of a value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def json_size(value: Any) -> int:
    """The bytes that a value takes as compact JSON."""
    return len(json_text(value).encode("utf-8", "surrogatepass"))


def _plain(value: Any) -> Any:
    """CEL's plain values as JSON data: times and bytes become text, keys become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is not a finite number")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _unfit(value: Any, max_items: int | None) -> Iterator[str]:
    """Why the library must not be given a value: it cuts texts off at a NUL character."""
    if isinstance(value, str):
        if "\0" in value:
            yield "a text holds a NUL character, which expressions cannot hold"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unfit(key, max_items)
            yield from _unfit(item, max_items)
    elif isinstance(value, list):
        if max_items is not None and len(value) > max_items:
            yield f"a list has more than {max_items} items, too many to build from"
        for item in value:
            yield from _unfit(item, max_items)


def _needed(code: str, names: Mapping[str, Any]) -> tuple[str, ...]:
    """The declared names that a source without literals mentions, the longest of each path."""
    needed: set[str] = set()
    for match in _PATH.finditer(code):
        path = re.sub(r"\s", "", match.group(1))
        hit = next((p for p in (path, *_prefixes(path)) if p in names), None)
        if hit is not None:
            needed.add(hit)
    return tuple(sorted(needed))


def _prefixes(path: str) -> Iterable[str]:
    """`a.b.c` gives `a.b`, then `a`."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _reason(error: object) -> str:
    """The library's message without its status code and source drawing."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else "failed"
    text = re.sub(r"^[A-Z_]+: ", "", text)
    text = re.sub(r"^ERROR: <input>:\d+:(\d+): ", r"at character \1: ", text)
    return re.sub(r" \[[A-Z_]+\]$", "", text).replace(" (in container '')", "")
