"""The quarantine in MongoDB: reading what coordinators put there, and resolving it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.paging import earlier
from shared.contracts.quarantine import QuarantineEntry, Resolution
from shared.ports.quarantine import QuarantineQuery

WAITING = {"resolution": None}
"""Also those that have no such field."""


class MongoQuarantine:
    """Reads and resolves documents of the collection `quarantine`."""

    def __init__(self, mongo: Mongo) -> None:
        self._quarantine = mongo.database["quarantine"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads need. Idempotent."""
        await self._quarantine.create_index([("at_ms", DESCENDING), ("_id", DESCENDING)])
        await self._quarantine.create_index([("execution_id", ASCENDING), ("seq", ASCENDING)])

    async def find(self, query: QuarantineQuery) -> Sequence[QuarantineEntry]:
        """Those that fit, newest first."""
        conditions: dict[str, Any] = (
            {"resolution": {"$ne": None}} if query.resolved else {**WAITING}
        )
        if query.execution_id is not None:
            conditions["execution_id"] = query.execution_id
        if query.before is not None:
            conditions |= earlier("at_ms", *query.before)
        cursor = self._quarantine.find(conditions).sort(
            [("at_ms", DESCENDING), ("_id", DESCENDING)]
        )
        return [_entry(document) async for document in cursor.limit(query.limit)]

    async def get(self, entry_id: str) -> QuarantineEntry | None:
        """One of them."""
        document = await self._quarantine.find_one({"_id": entry_id})
        return None if document is None else _entry(document)

    async def resolve(self, entry_id: str, resolution: Resolution) -> bool:
        """By compare-and-set: of two people one does it."""
        done = await self._quarantine.update_one(
            {"_id": entry_id, **WAITING}, {"$set": {"resolution": resolution.model_dump()}}
        )
        return bool(done.modified_count)

    async def forget(self, before_ms: int, limit: int) -> int:
        """Delete what was resolved before a time."""
        old = {"resolution.at_ms": {"$lt": before_ms}}
        ids = [d["_id"] async for d in self._quarantine.find(old, {"_id": 1}).limit(limit)]
        if not ids:
            return 0
        return int((await self._quarantine.delete_many({"_id": {"$in": ids}})).deleted_count)


def _entry(document: Mapping[str, Any]) -> QuarantineEntry:
    fields = {name: value for name, value in document.items() if name != "_id"}
    return QuarantineEntry.model_validate({"id": document["_id"], **fields})
