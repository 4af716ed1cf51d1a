"""Words of a shell and the values that they mean.

A word whose value is in its text (plain, or in quotes) can be replaced by any other value. One that
the shell works on (variables, patterns of files, a home directory) cannot: it is *active*, and
stays as it was written.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

_PIECE: Final = re.compile(r"""'([^']*)'|"([^"$`\\]*)"|([^\s'"$`*?\[\]{}!\\]+)""")
"""Text in single quotes, text in double quotes without variables, and plain text."""
_PLAIN: Final = re.compile(r"^[A-Za-z0-9_@%+=:,./^-]+$")


def value_of(text: str) -> str | None:
    """The value of a word; None where the shell works on it."""
    if text.startswith("~"):
        return None
    parts, at = [], 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            return None
        parts.append(match[match.lastindex or 0])
        at = match.end()
    return "".join(parts)


def quoted(value: str) -> str:
    """A value as a word that means exactly it."""
    return value if _PLAIN.match(value) and not value.startswith(("~", "=")) else shlex.quote(value)


def in_double_quotes(value: str) -> str:
    """A value as it stands between double quotes."""
    return re.sub(r'([$`"\\])', r"\\\1", value)
