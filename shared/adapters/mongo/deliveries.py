"""The collection `webhook_deliveries`: the queue and the log.

Contracts are kept as documents of their fields; `_id` is the id. A claim moves `due_at_ms` to its
end: whoever dies with it leaves a delivery that is due again, and an end that was moved since tells
a late one that the claim is not his any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, InsertOne, ReturnDocument
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.paging import earlier
from shared.contracts.webhooks import ATTEMPTS_KEPT, Delivery, DeliveryStatus
from shared.ports.webhooks import Outcome, QueuedDelivery

DUPLICATE_KEY: Final = 11000
NEWEST_FIRST: Final = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
_PENDING: Final = DeliveryStatus.PENDING.value
_DEAD: Final = DeliveryStatus.DEAD.value
_LOGGED: Final = (DeliveryStatus.DELIVERED.value, DeliveryStatus.FAILED.value)


class MongoDeliveryStore:
    """The collection `webhook_deliveries`."""

    def __init__(self, mongo: Mongo) -> None:
        self._deliveries = mongo.database["webhook_deliveries"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads and claims need. Idempotent."""
        await self._deliveries.create_index(
            [("due_at_ms", ASCENDING)], partialFilterExpression={"status": _PENDING}
        )
        await self._deliveries.create_index(
            [("webhook_id", ASCENDING), ("status", ASCENDING), *NEWEST_FIRST]
        )
        await self._deliveries.create_index([("webhook_id", ASCENDING), *NEWEST_FIRST])
        await self._deliveries.create_index([("status", ASCENDING), *NEWEST_FIRST])

    async def enqueue(self, queued: Sequence[QueuedDelivery]) -> None:
        """Store those whose ids are not known yet."""
        if not queued:
            return
        try:
            await self._deliveries.bulk_write([InsertOne(_document(q)) for q in queued], False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors", [])
            if any(failure.get("code") != DUPLICATE_KEY for failure in failures):
                raise

    async def claim(
        self, now_ms: int, lease_ms: int, limit: int, *, avoid: Sequence[str] = ()
    ) -> Sequence[QueuedDelivery]:
        """Take pending deliveries that are due, each by compare-and-set."""
        due: dict[str, Any] = {"status": _PENDING, "due_at_ms": {"$lte": now_ms}}
        if avoid:
            due["webhook_id"] = {"$nin": list(avoid)}
        claimed: list[QueuedDelivery] = []
        while len(claimed) < limit:
            document: Document | None = await self._deliveries.find_one_and_update(
                due,
                {"$set": {"due_at_ms": now_ms + lease_ms}},
                sort=[("due_at_ms", ASCENDING)],
                return_document=ReturnDocument.AFTER,
            )
            if document is None:
                break
            claimed.append(QueuedDelivery(_delivery(document), document["body"]))
        return claimed

    async def settle(self, claimed: Delivery, outcome: Outcome) -> bool:
        """Record the end of an attempt, if the claim still holds."""
        attempt = outcome.attempt
        ended = outcome.status is not DeliveryStatus.PENDING
        fields = {
            "status": outcome.status.value,
            "attempt": claimed.attempt + 1,
            "due_at_ms": 0 if ended else outcome.due_at_ms,
            "ended_at_ms": attempt.at_ms + attempt.duration_ms if ended else 0,
            "reason": outcome.reason,
        }
        kept = {"$each": [attempt.model_dump(mode="json")], "$slice": -ATTEMPTS_KEPT}
        result = await self._deliveries.update_one(
            {"_id": claimed.id, "status": _PENDING, "due_at_ms": claimed.due_at_ms},
            {"$set": fields, "$push": {"attempts": kept}},
        )
        return bool(result.modified_count)

    async def release(self, claimed: Delivery, at_ms: int) -> bool:
        """Give a claim up, if it still holds."""
        result = await self._deliveries.update_one(
            {"_id": claimed.id, "status": _PENDING, "due_at_ms": claimed.due_at_ms},
            {"$set": {"due_at_ms": at_ms}},
        )
        return bool(result.modified_count)

    async def next_due_ms(self, *, avoid: Sequence[str] = ()) -> int | None:
        """When the next pending delivery is due, or a claim ends."""
        counted: dict[str, Any] = {"status": _PENDING}
        if avoid:
            counted["webhook_id"] = {"$nin": list(avoid)}
        document = await self._deliveries.find_one(
            counted, {"due_at_ms": 1}, sort=[("due_at_ms", ASCENDING)]
        )
        return None if document is None else int(document["due_at_ms"])

    async def get(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        document = await self._deliveries.find_one({"_id": delivery_id}, {"body": 0})
        return None if document is None else _delivery(document)

    async def find(
        self,
        *,
        webhook_id: str | None = None,
        status: DeliveryStatus | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        """Those that fit, newest first."""
        conditions: dict[str, Any] = {}
        if webhook_id is not None:
            conditions["webhook_id"] = webhook_id
        if status is not None:
            conditions["status"] = status.value
        if before is not None:
            conditions |= earlier("created_at_ms", *before)
        cursor = self._deliveries.find(conditions, {"body": 0}).sort(NEWEST_FIRST).limit(limit)
        return [_delivery(document) async for document in cursor]

    async def redeliver(self, delivery_id: str, at_ms: int) -> Delivery | None:
        """Queue a dead one again, with its attempts counted anew."""
        fields = {
            "status": _PENDING,
            "attempt": 0,
            "due_at_ms": at_ms,
            "ended_at_ms": 0,
            "reason": "",
        }
        document: Document | None = await self._deliveries.find_one_and_update(
            {"_id": delivery_id, "status": _DEAD},
            {"$set": fields},
            projection={"body": 0},
            return_document=ReturnDocument.AFTER,
        )
        return None if document is None else _delivery(document)

    async def bury(self, webhook_id: str, reason: str, at_ms: int) -> int:
        """Give up all that is pending for a webhook."""
        fields = {"status": _DEAD, "due_at_ms": 0, "ended_at_ms": at_ms, "reason": reason}
        result = await self._deliveries.update_many(
            {"webhook_id": webhook_id, "status": _PENDING}, {"$set": fields}
        )
        return int(result.modified_count)

    async def pending(self, webhook_id: str, limit: int) -> int:
        """How many are pending for a webhook, counted up to `limit`."""
        conditions = {"webhook_id": webhook_id, "status": _PENDING}
        return int(await self._deliveries.count_documents(conditions, limit=limit))

    async def trim(self, webhook_id: str, *, delivered: int, dead: int) -> int:
        """Keep the newest so many of those that arrived (or were tests), and of the dead."""
        return await self._trim(webhook_id, _LOGGED, delivered) + await self._trim(
            webhook_id, (_DEAD,), dead
        )

    async def forget(self, webhook_id: str) -> int:
        """Forget every delivery of a webhook."""
        result = await self._deliveries.delete_many({"webhook_id": webhook_id})
        return int(result.deleted_count)

    async def _trim(self, webhook_id: str, statuses: Sequence[str], keep: int) -> int:
        mine = {"webhook_id": webhook_id, "status": {"$in": list(statuses)}}
        found = self._deliveries.find(mine, {"created_at_ms": 1}).sort(NEWEST_FIRST)
        first = await anext(aiter(found.skip(keep).limit(1)), None)
        if first is None:
            return 0
        at_ms, identifier = first["created_at_ms"], first["_id"]
        older = [
            {"created_at_ms": {"$lt": at_ms}},
            {"created_at_ms": at_ms, "_id": {"$lte": identifier}},
        ]
        result = await self._deliveries.delete_many({**mine, "$or": older})
        return int(result.deleted_count)


def _delivery(document: Mapping[str, Any]) -> Delivery:
    fields = {name: document[name] for name in Delivery.model_fields if name != "id"}
    return Delivery(id=document["_id"], **fields)


def _document(queued: QueuedDelivery) -> Document:
    fields = queued.delivery.model_dump(mode="json", exclude={"id"})
    return {"_id": queued.delivery.id, **fields, "body": queued.body}
