"""A command line as a shell cuts it: words with their places, simple commands, what is in quotes.

Nothing is expanded and nothing is refused: a line may be cut off anywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"""(?:\\.|'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|[^\s'"\\|;&()<>`])+"""
_TOKEN: Final = re.compile(rf"\s+|<<<|<<|&&|\|\||[|;&()`]|[<>]+&?|{_WORD}|.", re.DOTALL)
WORD: Final = re.compile(_WORD, re.DOTALL)
_BLANKS_ON_A_LINE: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, with its quotes, and where it begins."""

    start: int
    text: str

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    @property
    def bare(self) -> str:
        """Without quotes around it."""
        return self.text[self.inner - self.start : self.inner_end - self.start]

    @property
    def inner(self) -> int:
        """Where it begins behind a quote around it."""
        return self.start + (self.text[:1] in {"'", '"'})

    @property
    def inner_end(self) -> int:
        """Where it ends before a quote around it."""
        closed = self.inner > self.start and len(self.text) > 1 and self.text[-1] == self.text[0]
        return self.end - closed


@dataclass(slots=True)
class SimpleCommand:
    """Words between operators. `here` follows `<<<`; `piped`: its output goes to the next one."""

    words: list[Word] = field(default_factory=list)
    here: list[Word] = field(default_factory=list)
    piped: bool = False


def simple_commands(line: str) -> list[SimpleCommand]:
    """The simple commands of a line, in order."""
    found, current, here = [], SimpleCommand(), False
    for match in _TOKEN.finditer(line):
        text = match.group()
        if _BLANKS_ON_A_LINE.fullmatch(text):
            continue
        if text == "<<<":
            here = True
        elif text in {"|", "||", "&&", ";", "&", "(", ")", "`"} or text.isspace():
            current.piped = text == "|"
            found.append(current)
            current, here = SimpleCommand(), False
        elif text[0] not in "<>":
            (current.here if here else current.words).append(Word(match.start(), text))
            here = False
    found.append(current)
    return [one for one in found if one.words or one.here]


def enclosing_quotes(line: str) -> list[str]:
    """For each character, and the place behind the last one, the quote that it stands in: `'`, `"`
    or nothing. A quote that closes stands in itself, one that opens does not."""
    places, quote, escaped = [], "", False
    for char in line:
        places.append(quote)
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return [*places, quote]
