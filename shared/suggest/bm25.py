"""How well a text's words fit what templates say of themselves: BM25 over weighted fields.

The law (Robertson, Zaragoza & Taylor 2004, BM25F; Robertson & Zaragoza 2009):

* A word counts for a template by how often its fields hold it, each field by its weight, each
  document against its length; `K1` says how soon repetition stops to count.
* A word's rarity is `ln(1 + (N - n + 0.5) / (n + 0.5))` over the templates.
* A score is the share of the best that the text's own words could reach: 0 to 1, whatever the
  lengths, so that one weight fits all texts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from shared.suggest.encoder import Array

K1: Final = 1.2
B: Final = 0.5

FIELDS: Final = {
    "name": 4.0,
    "keywords": 4.0,
    "tags": 2.0,
    "description": 1.5,
    "steps": 0.5,
    "situations": 1.0,
}
"""What a template says of itself, and what a word in it weighs."""

Document = Mapping[str, Counter[str]]
"""The counted stems of each field."""


class Bm25:
    """An index of templates by their words."""

    def __init__(self, documents: Sequence[Document]) -> None:
        """The documents in the order of the scores; fields that `FIELDS` lacks count once."""
        self._weights = [_weighed(document) for document in documents]
        self._lengths = [sum(weights.values()) for weights in self._weights]
        self._mean = max(sum(self._lengths) / max(len(documents), 1), 1.0)
        seen = Counter(word for weights in self._weights for word in weights)
        total = len(documents)
        self._rarity = {w: math.log(1 + (total - n + 0.5) / (n + 0.5)) for w, n in seen.items()}

    def scores(self, text: Mapping[str, int], own: int | None = None) -> Array:
        """One score for each document, `(documents,)`.

        `own` is the document of whose situations the text is one: it must not find itself there.
        """
        found = np.zeros(len(self._weights), dtype=np.float32)
        best = sum(self._rarity.get(word, 0.0) for word in text) * (K1 + 1)
        if not best:
            return found
        for index, weights in enumerate(self._weights):
            length = 1 - B + B * self._lengths[index] / self._mean
            total = 0.0
            for word, times in text.items():
                often = weights.get(word, 0.0) - (times if index == own else 0)
                if often > 0:
                    total += self._rarity[word] * often * (K1 + 1) / (often + K1 * length)
            found[index] = total / best
        return found


def _weighed(document: Document) -> dict[str, float]:
    weights: dict[str, float] = {}
    for field, counts in document.items():
        for word, times in counts.items():
            weights[word] = weights.get(word, 0.0) + FIELDS.get(field, 1.0) * times
    return weights
