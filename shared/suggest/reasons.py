"""Why a text was matched as it was: in data, and in words.

The law:

* Each part of the evidence speaks for the answer as much as it moves the log odds against the
  runner-up: its strength times the difference of the two weights. Parts add up, but for the bias;
  none is told that speaks against the answer.
* Only what stands in the text is quoted, and situations, which are public as their template is.
  What people here have written is counted and never quoted: it is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 4
"""Cues, words and similar texts told of one answer, each."""

_QUOTED_SIGNS: Final = 3
_LONGEST_QUOTE: Final = 100


@dataclass(frozen=True)
class CueReason:
    """A cue that speaks for the answer."""

    cue: str
    says: str
    signs: tuple[str, ...]
    odds: float
    """By how much it moves the log odds against the runner-up."""


@dataclass(frozen=True)
class WordReason:
    """A word of the text that speaks for the answer."""

    word: str
    odds: float
    is_keyword: bool
    """Whether the template's author named it as one."""


@dataclass(frozen=True)
class Similar:
    """A known text that is like this one."""

    text: str | None
    """A situation of the template; `None` for what was learned here."""
    likeness: float
    execution: str = ""
    """Of what was learned: the execution that it came to, if that is known."""


@dataclass(frozen=True)
class Reasons:
    """Why this template, or why none."""

    template: str | None
    name: str
    confidence: float
    runner_up: str | None
    parts: Mapping[str, float]
    """What each kind of evidence adds to the log odds against the runner-up."""
    cues: tuple[CueReason, ...]
    words: tuple[WordReason, ...]
    similar: tuple[Similar, ...]
    telling: str
    """The sentence of the text with most of the signs and words above; empty if there are none."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The same in words, what matters most first."""
        found = [_of_cue(one) for one in self.cues]
        if self.words:
            keywords = [one.word for one in self.words if one.is_keyword]
            words = keywords or [one.word for one in self.words]
            kind = "Keywords of the template" if keywords else "Words that speak for it"
            found.append(f"{kind}: {', '.join(words)}.")
        found += [_of_similar(one) for one in self.similar[:1]]
        if self.template is None:
            found.insert(0, f"No template is likelier than that nothing fits; next is {self.name}.")
        return tuple(found)


def telling(text: str, marks: Sequence[tuple[int, float]]) -> str:
    """The sentence in which most of the weight of the marks (place, weight) lies."""
    best, most = "", 0.0
    for match in re.finditer(r"[^\n.!?]+(?:[.!?](?!\s|$)[^\n.!?]*)*[.!?]*", text):
        weight = sum(w for place, w in marks if match.start() <= place < match.end())
        if weight > most:
            best, most = match.group(), weight
    return _shortened(best)


def _of_cue(one: CueReason) -> str:
    signs = ", ".join(f"“{_shortened(sign)}”" for sign in one.signs[:_QUOTED_SIGNS])
    return f"It {one.says}: {signs}." if signs else f"It {one.says}."


def _of_similar(one: Similar) -> str:
    if one.text is None:
        return f"It is like a text that was labelled so here before ({one.likeness:.2f})."
    return f"It is like “{_shortened(one.text)}” ({one.likeness:.2f})."


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
