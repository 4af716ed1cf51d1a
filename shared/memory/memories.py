"""The collective memory in memory.

Its full-text score follows the shape of MongoDB's: a word counts more the more often it occurs and
the shorter the field is, tags count more than content. Words are cut to rough stems.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.collective.scoring import rank
from shared.contracts.collective import Memory, MemoryQuery, Recalled

TAG_WEIGHT: Final = 2.0
_SUFFIXES: Final = ("ing", "ies", "ed", "es", "s", "e", "y")
_STOP: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for from had has have if in into is it its no not of on or "
        "our that the their then there these they this to was were will with you your",
    )
)


class MemoryMemories:
    """Keeps memories for as long as the process lives."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}

    async def remember(self, memory: Memory) -> bool:
        """Keep it; false when one with this id is kept already."""
        if memory.id in self._memories:
            return False
        self._memories[memory.id] = memory
        return True

    async def get(self, memory_id: str) -> Memory | None:
        """One memory."""
        return self._memories.get(memory_id)

    async def recall(self, query: MemoryQuery, now_ms: int) -> Sequence[Recalled]:
        """What fits and has not expired, best first."""
        words = _stems(query.text)
        found = []
        for memory in self._memories.values():
            if not _is_open(memory, query, now_ms):
                continue
            score = _text_score(memory, words)
            wanted = bool(query.text or query.tags)
            if not wanted or score > 0 or set(query.tags) & set(memory.tags):
                found.append((memory, score))
        return rank(found, query, now_ms)

    async def forget(self, memory_id: str) -> bool:
        """Remove it."""
        return self._memories.pop(memory_id, None) is not None


def _is_open(memory: Memory, query: MemoryQuery, now_ms: int) -> bool:
    if memory.expires_at_ms is not None and memory.expires_at_ms <= now_ms:
        return False
    if query.category is not None and memory.category != query.category:
        return False
    return memory.importance >= query.min_importance


def _text_score(memory: Memory, words: Sequence[str]) -> float:
    content = _field_score(_stems(memory.content), words)
    return content + TAG_WEIGHT * _field_score(_stems(" ".join(memory.tags)), words)


def _field_score(field: Sequence[str], words: Sequence[str]) -> float:
    """MongoDB's: each occurrence of a word counts half of the one before, then by the word's share
    of the field, between one half and one."""
    counts = Counter(field)
    score = 0.0
    for word in dict.fromkeys(words):
        times = counts[word]
        score += (2 - 0.5 ** (times - 1)) * (0.5 + 0.5 * times / len(field)) if times else 0.0
    return score


def _stems(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return [_stem(word) for word in words if word not in _STOP]


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word
