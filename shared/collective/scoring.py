"""How well a memory fits a query: the weighted mean of what can be said about it, each 0 to 1.

* relevance (0.6): full-text score, squeezed: `s / (s + HALF_RELEVANT)`. What the text index of
  MongoDB calls a score has no upper bound; squeezed, a score of `HALF_RELEVANT` counts half.
* tags (0.2): the share of the wanted tags that it has.
* recency (0.1): halves every `HALF_LIFE_DAYS`.
* importance (0.1): as given when it was remembered.

A part that the query does not ask for (no text, no tags) has no weight, so that scores of one query
stay comparable and reach 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shared.contracts.collective import Memory, MemoryQuery, Recalled, ScoreParts

WEIGHTS: Final[Mapping[str, float]] = {
    "relevance": 0.6,
    "tags": 0.2,
    "recency": 0.1,
    "importance": 0.1,
}
HALF_RELEVANT: Final = 1.0
HALF_LIFE_DAYS: Final = 30.0
DAY_MS: Final = 86_400_000


def rank(found: Iterable[tuple[Memory, float]], query: MemoryQuery, now_ms: int) -> list[Recalled]:
    """The best of these memories, given each one's full-text score; equal ones newest first."""
    scored = [_scored(memory, text_score, query, now_ms) for memory, text_score in found]
    scored.sort(key=lambda r: (-r.score, -r.memory.created_at_ms, r.memory.id))
    return scored[: query.limit]


def _scored(memory: Memory, text_score: float, query: MemoryQuery, now_ms: int) -> Recalled:
    parts = ScoreParts(
        relevance=round(text_score / (text_score + HALF_RELEVANT), 4) if query.text else None,
        tags=_share(query.tags, memory.tags) if query.tags else None,
        recency=_recency(now_ms - memory.created_at_ms),
        importance=memory.importance,
    )
    given = {name: value for name, value in parts if value is not None}
    total = sum(WEIGHTS[name] for name in given)
    score = sum(WEIGHTS[name] * value for name, value in given.items()) / total
    return Recalled(memory=memory, score=round(score, 4), parts=parts)


def _share(wanted: tuple[str, ...], has: tuple[str, ...]) -> float:
    asked = set(wanted)
    return round(len(asked & set(has)) / len(asked), 4)


def _recency(age_ms: int) -> float:
    return float(round(0.5 ** (max(0, age_ms) / DAY_MS / HALF_LIFE_DAYS), 4))
