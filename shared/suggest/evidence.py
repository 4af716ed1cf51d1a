"""A text as evidence: its meaning, its cues and its words, side by side in one vector.

Each part has a length of about one, times its weight: so none of them drowns the others, and one
prior holds for all. Without an encoder the meaning is left out, and likeness is that of words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.ports.embedder import Embedder
from shared.suggest import cues, words
from shared.suggest.arrays import Array

MOST_CHARACTERS: Final = 20_000
"""Of a longer text only the beginning is looked at."""

CUES_WEIGH: Final = 1.0
WORDS_WEIGH: Final = 1.0


@dataclass(frozen=True)
class Evidence:
    """What a text shows."""

    text: str
    counts: Counter[str]
    likeness: Array
    """A unit vector: texts are alike as much as the product of theirs."""
    vector: Array
    """All of it, `(d,)`: what a linear model takes in."""


class Reader:
    """Reads texts with the same measures: an encoder if there is one, and how rare words are."""

    def __init__(self, embedder: Embedder | None, texts: Iterable[str]) -> None:
        """`texts` are those by which the rarity of words is judged."""
        counts = [words.counted(text) for text in texts]
        seen = Counter(word for one in counts for word in one)
        total = len(counts) + 1
        self._embedder = embedder
        self._rarity = {word: math.log(total / (n + 0.5)) for word, n in seen.items()}
        self._rarest = math.log(total) + 0.1
        meaning = embedder.dimensions if embedder is not None else 0
        self.cues_at: int = meaning
        self.words_at: int = meaning + len(cues.NAMES)
        self.dimensions: int = self.words_at + words.PLACES

    def read(self, text: str) -> Evidence:
        """The evidence in a text; an empty one has none."""
        text = text[:MOST_CHARACTERS]
        counts = words.counted(text)
        by_words = words.vector(counts, self._rarity, self._rarest)
        shown = cues.strengths(text) * np.float32(CUES_WEIGH)
        parts = [shown, by_words * np.float32(WORDS_WEIGH)]
        likeness = by_words
        if self._embedder is not None:
            likeness = self._embedder.embed(words.spaced(text))
            parts.insert(0, likeness)
        return Evidence(text, counts, likeness, np.concatenate(parts))
