"""The collection `memories`, searched with a text index. What has expired, MongoDB removes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, TEXT
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.recall import TEXT_SCORE, best
from shared.collective.scoring import rank
from shared.contracts.collective import Memory, MemoryQuery, Recalled

SPARE: Final = 50
"""Memories fetched beyond those asked for: the last digit of a score is settled by `rank`."""


class MongoMemories:
    """The collective memory in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._memories = mongo.database["memories"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that recall needs. Idempotent."""
        await self._memories.create_index(
            [("content", TEXT), ("tags", TEXT)],
            name="words",
            weights={"content": 1, "tags": 2},
            default_language="english",
            # Otherwise a field named `language` in a document would choose the stemmer.
            language_override="text_language",
        )
        await self._memories.create_index([("tags", ASCENDING), ("created_at_ms", DESCENDING)])
        await self._memories.create_index([("category", ASCENDING), ("created_at_ms", DESCENDING)])
        await self._memories.create_index([("created_at_ms", DESCENDING)])
        await self._memories.create_index("expires_at", expireAfterSeconds=0)

    async def remember(self, memory: Memory) -> bool:
        """Keep it; false when one with this id is kept already."""
        try:
            await self._memories.insert_one(_document(memory))
        except DuplicateKeyError:
            return False
        return True

    async def get(self, memory_id: str) -> Memory | None:
        """One memory."""
        document = await self._memories.find_one({"_id": memory_id})
        return None if document is None else _memory(document)

    async def recall(self, query: MemoryQuery, now_ms: int) -> Sequence[Recalled]:
        """What fits and has not expired, best first.

        The text index finds and scores; tags find too; without both, all are looked at.
        """
        words = " ".join(re.findall(r"[^\W_]+", query.text))
        ways: list[dict[str, Any]] = []
        if query.tags:
            ways.append({"tags": {"$in": list(query.tags)}})
        if words:
            # Only words, so that no sign in them negates or quotes.
            ways.append({"$text": {"$search": words}})
        if not query.text and not query.tags:
            ways.append({})
        found: dict[str, tuple[Memory, float]] = {}
        # What both ways find counts with its text score, which the last one has.
        for way in ways:
            found |= await self._best(way, query, now_ms)
        return rank(found.values(), query, now_ms)

    async def forget(self, memory_id: str) -> bool:
        """Remove it."""
        result = await self._memories.delete_one({"_id": memory_id})
        return bool(result.deleted_count)

    async def _best(
        self, way: Mapping[str, Any], query: MemoryQuery, now_ms: int
    ) -> dict[str, tuple[Memory, float]]:
        conditions = {**_conditions(query, now_ms), **way}
        pipeline = best(
            conditions, query, now_ms, by_text="$text" in way, limit=query.limit + SPARE
        )
        cursor = self._memories.aggregate(pipeline)
        return {d["_id"]: (_memory(d), float(d[TEXT_SCORE])) async for d in cursor}


def _conditions(query: MemoryQuery, now_ms: int) -> dict[str, Any]:
    conditions: dict[str, Any] = {
        # The index removes once a minute: what expired since must not be found either.
        "$or": [{"expires_at_ms": None}, {"expires_at_ms": {"$gt": now_ms}}],
    }
    if query.min_importance > 0:
        conditions["importance"] = {"$gte": query.min_importance}
    if query.category is not None:
        conditions["category"] = query.category
    return conditions


def _document(memory: Memory) -> Document:
    document = memory.model_dump(mode="json", exclude={"id"})
    expires_at = memory.expires_at_ms
    if expires_at is not None:
        document["expires_at"] = datetime.fromtimestamp(expires_at / 1000, UTC)
    return {"_id": memory.id, **document}


def _memory(document: Mapping[str, Any]) -> Memory:
    fields = {name: document[name] for name in Memory.model_fields if name in document}
    return Memory.model_validate({"id": document["_id"], **fields})
