"""Command lines as text: tokens, the command's name, and what of a line varies.

A line is split into *tokens*: runs of blanks, quoted strings, operators and words. Tokens joined
give the line again, to the character. A token that names something (a path, an address, a number,
an option's value) is a *value* and has a *kind*; everything else belongs to the template. A value
is written into a template as a *reference* to where it was seen: the n-th most recently used value
of its kind. So `python reproduce.py` after `vim reproduce.py` becomes `python ⟨file 0⟩`, which is
the same template for everybody.
"""

import re
from collections.abc import Callable, Iterable

_TOKEN = re.compile(
    r"""\s+|'[^']*'|"(?:\\.|[^"\\])*"|&&|\|\||>>|<<-?|[|;&<>()]|(?:\\.|[^\s'"|;&<>()])+|.""",
    re.DOTALL,
)
_CD = re.compile(r"^\s*cd(?:\s+(?:'[^']*'|\"[^\"]*\"|[^\s;&|]+))?\s*&&\s*")
_ASSIGNMENT = re.compile(r"^\s*[A-Za-z_][A-Za-z0-9_]*=(?:'[^']*'|\"[^\"]*\"|[^\s'\"])*\s+")
_SUDO = re.compile(r"^\s*sudo\s+")
_SUDO_WITH_VALUE = re.compile(r"^-(?:[A-Za-z]*[ugpChrtTUD])\s+\S+(?:\s+|$)")
_SUDO_FLAG = re.compile(r"^(?:--?[A-Za-z][A-Za-z-]*(?:=\S+)?|--)(?:\s+|$)")

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("address", re.compile(r"^(?:[\w.-]+@)?(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?:/\d+)?$")),
    ("url", re.compile(r"^[a-z][a-z0-9+.-]*://\S+$")),
    ("number", re.compile(r"^\d+(?:[.,:-]\d+)*[a-z%]?$")),
    ("hex", re.compile(r"^(?=.*\d)[0-9a-f]{7,}(?:-[0-9a-f]{4,})*$")),
    ("text", re.compile(r"""^['"].*['"]$""", re.DOTALL)),
    ("account", re.compile(r"^[\w.-]+@[\w.-]+$")),
    ("file", re.compile(r"^(?:~|\.{1,2})?/?(?:[\w.+@%:=-]+/)*[\w+@%:=-]*\.[\w.*-]+$")),
    ("path", re.compile(r"^(?:~|\.{1,2})?/\S*$|^[\w.+@-]+(?:/[\w.+@*-]*)+$")),
    ("word", re.compile(r"^[A-Za-z_][\w:.*-]*$")),
)
OPERATORS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "<<", "<<-", "(", ")"})
MAX_LINE = 300
"""Characters of a line that are looked at."""


def tokens_of(line: str) -> list[str]:
    """The tokens of `line`, blanks included: joined they are `line`."""
    return _TOKEN.findall(line)


def name_of(line: str) -> str:
    """The first word after leading `cd X &&`, `VAR=value` and `sudo` with its options.

    A line that is nothing else keeps its own first word (`cd /tmp`, `sudo`); an empty one has none.
    """
    rest = line.strip()
    while True:
        shorter = _without_prefix(rest)
        if not shorter or shorter == rest:
            break
        rest = shorter
    words = rest.split(None, 1)
    return words[0] if words else ""


def _without_prefix(line: str) -> str:
    for pattern in (_CD, _ASSIGNMENT):
        found = pattern.match(line)
        if found:
            return line[found.end() :]
    found = _SUDO.match(line)
    if not found:
        return line
    rest = line[found.end() :]
    while option := _SUDO_WITH_VALUE.match(rest) or _SUDO_FLAG.match(rest):
        rest = rest[option.end() :]
    return rest


def kind_of(token: str) -> str | None:
    """What a token names (`address`, `file`, `number` …), or None for options.

    Operators and blanks.
    """
    if not token or token.isspace() or token in OPERATORS or token.startswith("-"):
        return None
    for kind, pattern in _KINDS:
        if pattern.match(token):
            return kind
    return "other"


def values_of(line: str) -> list[tuple[str, str]]:
    """The values of `line` in order, as (kind, value); command words are not values."""
    return [(kind, token) for kind, token in _classified(tokens_of(line)) if kind]


def _classified(tokens: Iterable[str]) -> list[tuple[str | None, str]]:
    """Each token with its kind; the first word of each simple command has none: it is its name."""
    marked: list[tuple[str | None, str]] = []
    expects_name = True
    for token in tokens:
        kind = kind_of(token)
        if token in {"&&", "||", "|", ";", "&", "("}:
            expects_name = True
        elif expects_name and kind:
            marked.append((None, token))
            expects_name = False
            continue
        marked.append((kind, token))
    return marked


OPEN, CLOSE = "\x01", "\x02"


def abstract(line: str, place_of: Callable[[str, str], int | None]) -> str:
    """`line` with each value that `place_of(kind.

    Value)` knows replaced by a reference to its place.
    """
    parts = []
    for kind, token in _classified(tokens_of(line)):
        place = place_of(kind, token) if kind else None
        parts.append(token if place is None else f"{OPEN}{kind} {place}{CLOSE}")
    return "".join(parts)


_REFERENCE = re.compile(f"{OPEN}([a-z]+) (\\d+){CLOSE}")


def fill(template: str, value_at: Callable[[str, int], str | None]) -> str | None:
    """The line that `template` means where `value_at(kind, place)` is the value.

    None if one is missing.
    """
    missing = False

    def put(found: re.Match[str]) -> str:
        nonlocal missing
        value = value_at(found[1], int(found[2]))
        if value is None:
            missing = True
            return ""
        return value

    line = _REFERENCE.sub(put, template)
    return None if missing else line


def is_template(text: str) -> bool:
    """Whether `text` holds a reference."""
    return OPEN in text
