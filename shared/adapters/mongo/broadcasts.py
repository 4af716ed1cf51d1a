"""The collection `broadcasts`: each message once, with who has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.paging import earlier
from shared.contracts.collective import Acknowledgement, Broadcast
from shared.ports.collective import NotFoundError

KEPT_AFTER_EXPIRY_S: Final = 90 * 86_400
"""How long an expired broadcast stays as a record, in seconds."""


class MongoBroadcasts:
    """Broadcasts in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._broadcasts = mongo.database["broadcasts"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads need. Idempotent."""
        await self._broadcasts.create_index([("sent_at_ms", DESCENDING)])
        await self._broadcasts.create_index([("expires_at_ms", ASCENDING)])
        await self._broadcasts.create_index("expires_at", expireAfterSeconds=KEPT_AFTER_EXPIRY_S)

    async def send(self, broadcast: Broadcast) -> Broadcast:
        """Keep it; gives the one with this id that is kept already, if there is."""
        try:
            await self._broadcasts.insert_one(_document(broadcast))
        except DuplicateKeyError:
            return await self._existing(broadcast.id)
        return broadcast

    async def get(self, broadcast_id: str) -> Broadcast | None:
        """One broadcast."""
        document = await self._broadcasts.find_one({"_id": broadcast_id})
        return None if document is None else _broadcast(document)

    async def acknowledge(
        self, broadcast_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> Broadcast:
        """Agents have it; only the first acknowledgement of each counts."""
        ordered = sorted(acknowledgements, key=lambda ack: ack.agent)
        updates = [_first_of(broadcast_id, ack) for ack in ordered]
        if updates:
            await self._broadcasts.bulk_write(updates, ordered=True)
        return await self._existing(broadcast_id)

    async def newest(
        self, *, before_ms: int | None = None, before_id: str = "", limit: int = 50
    ) -> Sequence[Broadcast]:
        """Newest first."""
        conditions = {} if before_ms is None else earlier("sent_at_ms", before_ms, before_id)
        order = [("sent_at_ms", DESCENDING), ("_id", DESCENDING)]
        cursor = self._broadcasts.find(conditions).sort(order).limit(limit)
        return [_broadcast(d) async for d in cursor]

    async def missed(self, agent: str, now_ms: int, limit: int = 100) -> Sequence[Broadcast]:
        """Those not expired that this agent has not acknowledged, oldest first."""
        conditions = {"expires_at_ms": {"$gt": now_ms}, "acknowledgements.agent": {"$ne": agent}}
        order = [("sent_at_ms", ASCENDING), ("_id", ASCENDING)]
        cursor = self._broadcasts.find(conditions).sort(order).limit(limit)
        return [_broadcast(d) async for d in cursor]

    async def _existing(self, broadcast_id: str) -> Broadcast:
        broadcast = await self.get(broadcast_id)
        if broadcast is None:
            raise NotFoundError(f"there is no broadcast {broadcast_id}")
        return broadcast


def _first_of(broadcast_id: str, ack: Acknowledgement) -> UpdateOne:
    return UpdateOne(
        {"_id": broadcast_id, "acknowledgements.agent": {"$ne": ack.agent}},
        {"$push": {"acknowledgements": ack.model_dump()}},
    )


def _document(broadcast: Broadcast) -> Document:
    expires_at = datetime.fromtimestamp(broadcast.expires_at_ms / 1000, UTC)
    fields = broadcast.model_dump(mode="json", exclude={"id"})
    return {"_id": broadcast.id, "expires_at": expires_at, **fields}


def _broadcast(document: Mapping[str, Any]) -> Broadcast:
    fields = {name: document[name] for name in Broadcast.model_fields if name in document}
    return Broadcast.model_validate({"id": document["_id"], **fields})
