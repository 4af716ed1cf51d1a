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

from shared.suggest.arrays import Array

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
        weighed = [_weighed(document) for document in documents]
        total = self._count = len(documents)
        lengths = np.array([sum(weights.values()) for weights in weighed])
        mean = max(float(lengths.sum()) / max(total, 1), 1.0)
        self._damped = K1 * (1 - B + B * lengths / mean)
        holders: dict[str, list[int]] = {}
        for index, weights in enumerate(weighed):
            for word in weights:
                holders.setdefault(word, []).append(index)
        self._holders = {word: np.array(found) for word, found in holders.items()}
        self._often = {
            word: np.array([weighed[index][word] for index in found])
            for word, found in holders.items()
        }
        self._rarity = {
            word: math.log(1 + (total - len(found) + 0.5) / (len(found) + 0.5))
            for word, found in holders.items()
        }

    def scores(self, text: Mapping[str, int], own: int | None = None) -> Array:
        """One score for each document, `(documents,)`.

        `own` is the document of whose situations the text is one: it must not find itself there.
        """
        found = np.zeros(self._count)
        best = sum(self._rarity.get(word, 0.0) for word in text) * (K1 + 1)
        if not best:
            return found.astype(np.float32)
        for word, times in text.items():
            holders = self._holders.get(word)
            if holders is None:
                continue
            often = self._often[word]
            if own is not None:
                often = np.where(holders == own, np.maximum(often - times, 0.0), often)
            weight = self._rarity[word] * (K1 + 1) / best
            found[holders] += weight * often / (often + self._damped[holders])
        return found.astype(np.float32)


def _weighed(document: Document) -> dict[str, float]:
    weights: dict[str, float] = {}
    for field, counts in document.items():
        for word, times in counts.items():
            weights[word] = weights.get(word, 0.0) + FIELDS.get(field, 1.0) * times
    return weights
