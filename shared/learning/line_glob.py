"""Which command lines a pattern means.

The law: a pattern means a line where all of it fits. `*` is any characters or none, `?` any one;
a star, a question mark or a backslash behind a backslash is itself, and so is everything else.
The work is one step for each character of a line, whatever the pattern: the places of the pattern
that are reached are the bits of one number (Baeza-Yates and Gonnet, "A New Approach to Text
Searching", 1992).
"""

from __future__ import annotations

from typing import Final

GLOB_LIMIT: Final = 200
"""Characters of a pattern."""


class LineGlob:
    """A pattern, ready to be asked."""

    def __init__(self, pattern: str) -> None:
        """Raises `ValueError`: it is too long, or names no character at all."""
        if len(pattern) > GLOB_LIMIT:
            raise ValueError(f"a pattern has at most {GLOB_LIMIT} characters")
        tokens, stars = _read(pattern)
        if not any(tokens):
            raise ValueError("a pattern names at least one character besides `*` and `?`")
        self._begin = _literal_beginning(tokens, stars)
        self._stars = stars
        self._end = 1 << len(tokens)
        self._any = sum(1 << at for at, token in enumerate(tokens) if not token)
        self._at: dict[str, int] = {}
        for at, token in enumerate(tokens):
            if token:
                self._at[token] = self._at.get(token, 0) | 1 << at

    def means(self, line: str) -> bool:
        """Whether it means this line, all of it."""
        if not line.startswith(self._begin):
            return False
        reached = 1
        for character in line:
            fits = self._at.get(character, 0) | self._any
            reached = (reached & fits) << 1 | reached & self._stars
            if not reached:
                return False
        return bool(reached & self._end)


def _read(pattern: str) -> tuple[list[str], int]:
    """Its characters without stars (empty: any one), and the places where a star stands, as bits:
    in front of the character of that number, or behind the last."""
    tokens: list[str] = []
    stars = at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and pattern[at + 1 : at + 2] in {"*", "?", "\\"}:
            at += 1
            tokens.append(pattern[at])
        elif character == "*":
            stars |= 1 << len(tokens)
        else:
            tokens.append("" if character == "?" else character)
        at += 1
    return tokens, stars


def _literal_beginning(tokens: list[str], stars: int) -> str:
    for at, token in enumerate(tokens):
        if not token or stars >> at & 1:
            return "".join(tokens[:at])
    return "".join(tokens)
