"""A line as single commands: what stands between `&&` and `;`, with the directory of each.

A line that a shell reads as more than a list of commands (loops, conditions, jobs in the
background, sub-shells) stays one. What lacks its input (a here-document of which only the first
line was kept) is none.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+)
  | (?P<redirect>&>>?|[0-9]*(?:>>|>\||>&[0-9-]*|<&[0-9-]*|<<<|<<-?|<>|>|<))
  | (?P<control>&&|\|\||\|&|;;|[|;&()])
  | (?P<comment>\#[^\n]*)
  | (?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`|\$\{[^}]*\}
      |[^\s'"|;&<>()\\`])+)
  | (?P<broken>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMPOUND: Final = frozenset(
    "for while until if case select function { } [[ do done then fi else elif esac ! time".split()  # noqa: SIM905
)
_FLAG: Final = re.compile(r"^-[A-Za-z]$")
MOST_PARTS: Final = 12
"""Commands of one line; a line of more stays one."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a redirection or an operator; `start` and `end` are its place in the line."""

    text: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A command of a line: its text, its tokens without blanks, and where it runs (empty: it is
    not known)."""

    text: str
    tokens: tuple[Token, ...]
    cwd: str


def tokens_of(line: str) -> tuple[Token, ...] | None:
    """The tokens of a line without blanks and comments; None where quotes stay open."""
    found = []
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or ""
        if kind == "broken":
            return None
        if kind not in ("blank", "comment"):
            found.append(Token(match.group(), kind, match.start(), match.end()))
    return tuple(found)


def parts_of(line: str, cwd: str = "") -> tuple[Part, ...]:
    """The commands of a line; none where it cannot be run again from what was kept of it."""
    tokens = tokens_of(line)
    if not tokens or any(one.text in ("<<", "<<-") for one in tokens):
        return ()
    pieces = list(_pieces(tokens))
    if _is_compound(tokens, pieces) or len(pieces) > MOST_PARTS:
        return (_part(line, tokens, cwd),)
    return tuple(_moved(line, pieces, cwd))


def _moved(line: str, pieces: Sequence[tuple[Token, ...]], cwd: str) -> Iterator[Part]:
    """The pieces that are no change of directory, each where it runs."""
    for piece in pieces:
        if piece[0].text == "cd":
            cwd = moved(cwd, piece[1].text if len(piece) > 1 else "~")
        else:
            yield _part(line, piece, cwd)


def moved(cwd: str, target: str) -> str:
    """The directory after `cd target`; empty where that cannot be known."""
    target = target.strip("'\"")
    if target.startswith(("/", "~")):
        return posixpath.normpath(target)
    if not cwd or target.startswith(("-", "$", "`")):
        return ""
    return posixpath.normpath(posixpath.join(cwd, target))


def _part(line: str, tokens: tuple[Token, ...], cwd: str) -> Part:
    start = tokens[0].start
    text = line[start : tokens[-1].end]
    ordered = _in_order(tokens)
    if ordered == tokens:
        placed = tuple(Token(t.text, t.kind, t.start - start, t.end - start) for t in tokens)
        return Part(text, placed, cwd)
    text = " ".join(token.text for token in ordered)
    return Part(text, tokens_of(text) or (), cwd)


def _in_order(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Tokens with rows of flags in the order of the alphabet, but for the last of a row, which may
    have a value: `-u -D -p x` and `-D -u -p x` are the same."""
    found = list(tokens)
    at = 0
    while at < len(found):
        end = at
        while end < len(found) and _FLAG.match(found[end].text):
            end += 1
        if end - at > 2:
            found[at : end - 1] = sorted(found[at : end - 1], key=lambda token: token.text)
        at = max(end, at + 1)
    return tuple(found)


def _pieces(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    piece: list[Token] = []
    for token in tokens:
        if token.kind == "control" and token.text in ("&&", ";"):
            if piece:
                yield tuple(piece)
            piece = []
        else:
            piece.append(token)
    if piece:
        yield tuple(piece)


def _is_compound(tokens: Sequence[Token], pieces: Sequence[Sequence[Token]]) -> bool:
    signs = {t.text for t in tokens if t.kind == "control"}
    return bool(signs & {"&", "(", ")", ";;", "||"}) or any(
        piece[0].text in _COMPOUND for piece in pieces
    )
