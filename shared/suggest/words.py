"""The words of a text: cut, stemmed, counted, and folded into a vector of fixed length.

The law:

* A word is two letters or more; digits and signs are none (`shared.suggest.cues` reads those). What
  is joined by points, hyphens or underscores counts by its parts.
* Stems only join what is plainly the same word (plural, -ing, -ed, -ation …): the longest ending
  goes that leaves four letters. It is no grammar, and need be none: both sides are stemmed alike.
* A vector holds a word's weight where the hash of its stem falls. Words that share a place blur
  one another; the length is bounded whatever is read.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

import numpy as np

from shared.suggest.arrays import Array

PLACES: Final = 1_024
"""Length of a vector of words."""

MOST_WORDS: Final = 400
"""Of a longer text the beginning counts."""

_WORD: Final = re.compile(r"[^\W\d_]{2,40}")
_HUMPS: Final = re.compile(r"(?<![A-Za-z])(?:[A-Z][a-z]{2,}){2,}(?![A-Za-z])")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENDINGS: Final = (
    "isations", "izations", "isation", "ization", "ations", "ation", "ments", "ings", "ities",
    "able", "ible", "ment", "ness", "ions", "ing", "ion", "ies", "ers", "ors", "ive", "ity",
    "ed", "er", "or", "es", "ly", "al", "s", "e", "y",
)  # fmt: skip
_SHORTEST_STEM: Final = 4

_STOP_WORDS: Final = """
the of and to in is it for on with as at by an be are was were this that from or not have has
had but they their its our we you your he she his her there will would can could if so do does
no all any some than then them been being which who whom what when where why how into over about
out up off only also more most other such
"""
STOP: Final = frozenset(_STOP_WORDS.split())
"""Words that say nothing of what a text is about; forms of speech are seen by cues."""


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """A word in lower case without its ending."""
    word = word.lower()
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def spaced(text: str) -> str:
    """The text with names such as `HostOutOfMemory` or `read_timeout` as words."""
    text = _HUMPS.sub(lambda match: _HUMP.sub(" ", match.group()), text)
    return re.sub(r"(?<=[a-zA-Z])_+(?=[a-zA-Z])", " ", text)


def found(text: str) -> Iterator[str]:
    """The words of a text as they stand there, in order, without stop words."""
    for match in islice(_WORD.finditer(spaced(text)), MOST_WORDS):
        if match.group().lower() not in STOP:
            yield match.group()


def counted(text: str) -> Counter[str]:
    """The stems of a text with how often they come, without stop words."""
    return Counter(stem(word) for word in found(text))


def vector(counts: Mapping[str, int], rarity: Mapping[str, float], rarest: float) -> Array:
    """Stems as a unit vector `(PLACES,)`: each weighs its rarity, and repetition adds nothing.

    `rarest` is the weight of a stem that `rarity` lacks.
    """
    total = np.zeros(PLACES, dtype=np.float32)
    for word in counts:
        total[place(word)] += rarity.get(word, rarest)
    length = float(np.linalg.norm(total))
    return total / np.float32(length) if length else total


@lru_cache(maxsize=32_768)
def place(stem_of_word: str) -> int:
    """Where a stem stands in a vector of words."""
    return zlib.crc32(stem_of_word.encode()) % PLACES
