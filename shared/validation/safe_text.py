"""Whether a value can mean something to a shell: which expressions are certainly harmless there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.workflow.declared import Parameter, ParameterType

_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,=-")
_SAFE_FORMATS: Final = frozenset({"uuid", "ipv4", "ipv6", "date", "date-time", "time"})
_SAFE_TYPES: Final = frozenset({"integer", "number", "boolean"})
_PARAMETER: Final = re.compile(r"params\.([a-z][a-z0-9_]*)")
_SAFE_NAMES: Final = frozenset(
    {"index", "batch", "execution.id", "execution.template", "execution.version"}
)


def is_safe(source: str, json_type: str | None, parameters: dict[str, Parameter]) -> bool:
    """Whether what an expression gives can never be more than one plain word."""
    if json_type in _SAFE_TYPES or source in _SAFE_NAMES:
        return True
    match = _PARAMETER.fullmatch(source)
    declared = parameters.get(match[1]) if match else None
    return declared is not None and is_plain(declared)


def is_plain(parameter: Parameter) -> bool:
    """Whether every value of a parameter is one plain word."""
    if parameter.type is not ParameterType.STRING:
        return parameter.type.value in _SAFE_TYPES
    if parameter.enum is not None:
        return all(_plain(str(value)) for value in parameter.enum)
    if parameter.format in _SAFE_FORMATS:
        return True
    return parameter.pattern is not None and pattern_is_plain(parameter.pattern)


def pattern_is_plain(pattern: str) -> bool:
    """Whether a regular expression matches plain words only; false where that is not certain."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        return False
    inner = pattern[1:-1]
    # An alternative outside of a group would make the anchors count for a part only.
    if "|" in re.sub(r"\([^()]*\)", "", inner):
        return False
    return _tokens_are_plain(inner)


_TOKEN: Final = re.compile(
    r"""
    \\[dw._/:@%+,=-]                               # an escape that stands for plain characters
  | \[ -? (?: [a-z]-[a-z] | [A-Z]-[A-Z] | [0-9]-[0-9]       # a set of them, no other ranges,
             | \\[dw._/:@%+,=-] | [\w./:@%+,=](?!-[^\]]) # and not the opposite of a set
           )+ -? \]
  | \{ [0-9,]* \} | [?*+|] | \((?:\?:)? | \)         # repetitions, alternatives, groups
  | [A-Za-z0-9_/:@%,=-]                            # a plain character
    """,
    re.VERBOSE | re.ASCII,
)


def _tokens_are_plain(inner: str) -> bool:
    return bool(inner) and not _TOKEN.sub("", inner)


def _plain(text: str) -> bool:
    return bool(text) and _all_in(text, _SAFE)


def _all_in(text: str, chars: Iterable[str]) -> bool:
    return not set(text) - set(chars)
