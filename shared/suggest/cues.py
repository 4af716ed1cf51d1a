"""What kind of text it is, seen by its signs: an advisory, an alert, a notice, a change, a task.

The law:

* A cue is general knowledge of the field (words, ids, formats, forms of speech: `cues_of_events`,
  `cues_of_requests`), of no one source of texts and of no one template. Which cues speak for a
  template is learned from the situations that its author wrote, and from feedback.
* A cue's strength is `sqrt(min(count, 4)) / 2`: the first sign says most, the fourth is the last.
* A text is read up to a bound; patterns have no nested repetition, so time grows with length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.suggest.arrays import Array
from shared.suggest.cue import Cue
from shared.suggest.cues_of_events import OF_EVENTS
from shared.suggest.cues_of_requests import OF_REQUESTS

MOST_CHARACTERS: Final = 4_000
"""Of a longer text the beginning counts."""

_MOST_SIGNS: Final = 4
_REST_OF_WORD: Final = re.compile(r"[\w-]{0,40}")


@dataclass(frozen=True)
class Sign:
    """A place in a text that shows a cue."""

    cue: str
    text: str
    start: int


CUES: Final[tuple[Cue, ...]] = (*OF_EVENTS, *OF_REQUESTS)
_PATTERNS: Final = tuple((cue, cue.pattern()) for cue in CUES)
_SHAPES: Final = ("short", "long", "lines", "asks", "past", "plain")
NAMES: Final = (*(cue.name for cue in CUES), *_SHAPES)
"""The names of the cues, in the order of `strengths`."""


def strengths(text: str) -> Array:
    """How strongly a text shows each cue, 0 to 1, `(len(NAMES),)`."""
    text = text[:MOST_CHARACTERS]
    counts = [_count(pattern, text) for _, pattern in _PATTERNS]
    seen = np.sqrt(np.minimum(np.array(counts), _MOST_SIGNS)) / np.sqrt(_MOST_SIGNS)
    return np.concatenate([seen, _shape(text)]).astype(np.float32)


def signs(text: str) -> list[Sign]:
    """The places that show cues, at most four for each, in the order of the text."""
    text = text[:MOST_CHARACTERS]
    found = []
    for cue, pattern in _PATTERNS:
        for index, match in enumerate(pattern.finditer(text)):
            if index == _MOST_SIGNS:
                break
            rest = _REST_OF_WORD.match(text, match.end())
            end = rest.end() if rest is not None else match.end()
            shown = " ".join(text[match.start() : end].split())
            found.append(Sign(cue.name, shown, match.start()))
    return sorted(found, key=lambda sign: sign.start)


def _count(pattern: re.Pattern[str], text: str) -> int:
    count = 0
    for _ in pattern.finditer(text):
        count += 1
        if count == _MOST_SIGNS:
            break
    return count


def _shape(text: str) -> list[float]:
    words = re.findall(r"[^\W\d_]+", text)
    if not words:
        return [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    past = sum(len(word) > 4 and word.endswith("ed") for word in words) / len(words)
    letters = sum(map(len, words)) / max(len("".join(text.split())), 1)
    return [
        max(0.0, 1 - len(words) / 8),
        min(1.0, len(words) / 80),
        min(1.0, text.strip().count("\n") / 8),
        float(text.rstrip().endswith("?")),
        min(1.0, past * 5),
        letters**4,
    ]
