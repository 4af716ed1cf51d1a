"""Scoring memories where they are: `shared.collective.scoring` in MongoDB's words.

Whatever is left out before it is scored may be the best of all: of thousands that hold a word, the
one that is newest, most important or has the wanted tags too. So every memory that fits is scored
by the server, and only the best leave it. A contract test holds both formulas together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.collective.scoring import DAY_MS, HALF_LIFE_DAYS, HALF_RELEVANT, WEIGHTS
from shared.contracts.collective import MemoryQuery

SCORE: Final = "computed_score"
TEXT_SCORE: Final = "text_score"

Expression = Mapping[str, Any]


def best(
    conditions: Mapping[str, Any], query: MemoryQuery, now_ms: int, *, by_text: bool, limit: int
) -> Sequence[Mapping[str, Any]]:
    """The pipeline that gives the best `limit` of what meets the conditions.

    `by_text`: the conditions have a text search; without it the text counts as not found.
    """
    text_score: Any = {"$meta": "textScore"} if by_text else {"$literal": 0.0}
    return [
        {"$match": dict(conditions)},
        {"$set": {TEXT_SCORE: text_score}},
        {"$set": {SCORE: _score(query, now_ms)}},
        {"$sort": {SCORE: -1, "created_at_ms": -1, "_id": 1}},
        {"$limit": limit},
    ]


def _score(query: MemoryQuery, now_ms: int) -> Expression:
    """Not divided by the sum of the weights, which is the same for all."""
    parts: dict[str, Any] = {"recency": _recency(now_ms), "importance": "$importance"}
    if query.text:
        parts["relevance"] = {
            "$divide": [f"${TEXT_SCORE}", {"$add": [f"${TEXT_SCORE}", HALF_RELEVANT]}]
        }
    if query.tags:
        parts["tags"] = _share(query.tags)
    return {"$add": [{"$multiply": [WEIGHTS[name], parts[name]]} for name in parts]}


def _share(wanted: Sequence[str]) -> Expression:
    asked = sorted(set(wanted))
    has = {"$setIntersection": ["$tags", {"$literal": asked}]}
    return {"$divide": [{"$size": has}, len(asked)]}


def _recency(now_ms: int) -> Expression:
    age_ms = {"$max": [0, {"$subtract": [now_ms, "$created_at_ms"]}]}
    return {"$pow": [0.5, {"$divide": [age_ms, DAY_MS * HALF_LIFE_DAYS]}]}
