"""Idempotency keys in MongoDB, forgotten by a TTL index."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Mongo
from shared.ports.idempotency import Remembered

KEPT_S: Final = 24 * 3_600
"""For how long a request is remembered, in seconds."""


class MongoIdempotencyStore:
    """The collection `idempotency`."""

    def __init__(self, mongo: Mongo) -> None:
        self._requests = mongo.database["idempotency"]

    async def ensure_indexes(self) -> None:
        """Make the index that forgets. Idempotent."""
        await self._requests.create_index([("created_at", ASCENDING)], expireAfterSeconds=KEPT_S)

    async def remember(self, key: str, request: Remembered) -> Remembered:
        """Store the first request under a key, and give what is stored under it."""
        created_at = datetime.fromtimestamp(request.created_at_ms / 1_000, UTC)
        document = {
            "_id": key,
            "body_hash": request.body_hash,
            "execution_id": request.execution_id,
            "template_version": request.template_version,
            "created_at_ms": request.created_at_ms,
            "created_at": created_at,
        }
        try:
            await self._requests.insert_one(document)
        except DuplicateKeyError:
            # It can be forgotten between the two calls; then it is ours after all.
            return await self.find(key) or await self.remember(key, request)
        return request

    async def find(self, key: str) -> Remembered | None:
        """What is stored under a key."""
        document = await self._requests.find_one({"_id": key})
        return None if document is None else _remembered(document)


def _remembered(document: Mapping[str, Any]) -> Remembered:
    return Remembered(
        body_hash=document["body_hash"],
        execution_id=document["execution_id"],
        template_version=document["template_version"],
        created_at_ms=document["created_at_ms"],
    )
