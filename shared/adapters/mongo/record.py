"""The collection `record`: every item under its type and id, as JSON text, with what finds it.

How far the record has been put is kept beside it, in `record_places`, so that it is known also when
everything was removed; and what went by age. `record_reach` says where the first thing was that an
order to forget removed, `record_gone` which users and lines (as digests) went by age.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final

import structlog
from pydantic import ValidationError
from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.connection import Document, Mongo
from shared.learning.records import RECORD, AnyRecord, Forget, named_by
from shared.ports.record import Expired, Expiring, Placed

log = structlog.get_logger()

_PLACE: Final = "last"
_EXPIRED: Final = "expired"
_DUPLICATE_KEY: Final = 11_000
READ_AT_ONCE: Final = 1_000


class MongoRecordStore:
    """The record at rest in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._record = mongo.database["record"]
        self._places = mongo.database["record_places"]
        self._reach = mongo.database["record_reach"]
        self._gone = mongo.database["record_gone"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reading and removing need. Idempotent."""
        await self._record.create_index([("place", ASCENDING)])
        await self._record.create_index([("type", ASCENDING), ("at_ms", ASCENDING)])
        await self._record.create_index([("user", ASCENDING)], sparse=True)
        await self._record.create_index([("lines", ASCENDING)], sparse=True)

    async def put(self, items: Sequence[Placed]) -> Sequence[Placed]:
        """Keep items that are behind `last`; gives those that are new, in order."""
        last = await self.last()
        fresh = sorted((one for one in items if one.place > last), key=lambda one: one.place)
        if not fresh:
            return ()
        known = await self._insert([_document(one) for one in fresh])
        await self._places.update_one(
            {"_id": _PLACE}, {"$max": {"place": fresh[-1].place}}, upsert=True
        )
        return tuple(one for index, one in enumerate(fresh) if index not in known)

    async def read(self, after: int = 0, upto: int | None = None) -> AsyncIterator[Placed]:
        """Every item behind `after` and not behind `upto`, in order."""
        bounds: dict[str, int] = {"$gt": after} | ({} if upto is None else {"$lte": upto})
        cursor = self._record.find({"place": bounds}, {"place": 1, "item": 1})
        async for found in cursor.sort("place", ASCENDING).batch_size(READ_AT_ONCE):
            placed = _placed(found)
            if placed is not None:
                yield placed

    async def of_user(self, user: str) -> AsyncIterator[Placed]:
        """Every command and feedback of one user, in order."""
        found = self._record.find({"user": user}, {"place": 1, "item": 1})
        async for one in found.sort("place", ASCENDING).batch_size(READ_AT_ONCE):
            placed = _placed(one)
            if placed is not None:
                yield placed

    async def count(self, after: int = 0) -> int:
        """How many items are behind `after`."""
        return int(await self._record.count_documents({"place": {"$gt": after}}))

    async def known(self, kind: Expiring, ids: Collection[str]) -> frozenset[str]:
        """Those of some ids that an item of this type has."""
        wanted = {f"{kind}.{one}": one for one in ids}
        found = self._record.find({"_id": {"$in": list(wanted)}}, {"_id": 1})
        return frozenset([wanted[document["_id"]] async for document in found])

    async def orders(self) -> Sequence[Placed]:
        """All orders to forget, in order."""
        found = self._record.find({"type": "forget"}, {"place": 1, "item": 1})
        orders = [_placed(document) async for document in found.sort("place", ASCENDING)]
        return [one for one in orders if one is not None]

    async def last(self) -> int:
        """The last place that was put."""
        found = await self._places.find_one({"_id": _PLACE})
        return 0 if found is None else int(found["place"])

    async def remove(self, order: Forget, before: int) -> int:
        """Remove what is meant in front of a place."""
        wanted: dict[str, Any] = {"user": order.user} if order.user else {}
        if order.command:
            wanted["lines"] = order.command
        if not wanted:
            return 0
        meant = {**wanted, "place": {"$lt": before}}
        await self._note_reach(order, meant, before)
        return int((await self._record.delete_many(meant)).deleted_count)

    async def _note_reach(self, order: Forget, meant: Document, before: int) -> None:
        """Note where the first is before it goes: done again after a crash, the note stays."""
        went = await self._gone.find_one({"_id": order.command or f"user:{order.user}"})
        found = await self._record.find_one(meant, {"place": 1}, sort=[("place", ASCENDING)])
        first = 0 if went else int(found["place"]) if found else before
        await self._reach.update_one({"_id": before}, {"$min": {"first": first}}, upsert=True)

    async def reach(self, after: int, upto: int) -> int:
        """The first place that these orders concerned."""
        behind = {"$gt": after, "$lte": upto}
        orders = await self._record.count_documents({"type": "forget", "place": behind})
        firsts = [int(one["first"]) async for one in self._reach.find({"_id": behind})]
        return min([upto + 1, *firsts]) if len(firsts) >= orders else 0

    async def first_since(self, at_ms: int) -> int:
        """The first place of an item that is not older."""
        young = {"type": {"$ne": "forget"}, "at_ms": {"$gte": at_ms}}
        found = await self._record.find_one(young, {"place": 1}, sort=[("place", ASCENDING)])
        return int(found["place"]) if found else await self.last() + 1

    async def expire(self, kind: Expiring, before_ms: int, upto: int) -> int:
        """Remove the items of this type that are older and not behind a place."""
        old = {"type": kind, "at_ms": {"$lt": before_ms}, "place": {"$lte": upto}}
        found = await self._record.count_documents(old)
        if not found:
            return 0
        await self._note_gone(old)
        await self._places.update_one(
            {"_id": _EXPIRED}, {"$max": {"place": upto}, "$inc": {"items": found}}, upsert=True
        )
        return int((await self._record.delete_many(old)).deleted_count)

    async def expired(self) -> Expired:
        """What went by age so far."""
        found = await self._places.find_one({"_id": _EXPIRED})
        return Expired() if found is None else Expired(int(found["place"]), int(found["items"]))

    async def _note_gone(self, old: Document) -> None:
        """Note which users and lines go, before they do."""
        names: set[str] = set()
        async for one in self._record.find(old, {"user": 1, "lines": 1}).batch_size(READ_AT_ONCE):
            if one.get("user"):
                names |= {f"user:{one['user']}", *one.get("lines", ())}
            if len(names) >= READ_AT_ONCE:
                await self._put_gone(names)
                names = set()
        await self._put_gone(names)

    async def _put_gone(self, names: Collection[str]) -> None:
        new = {"$setOnInsert": {"gone": True}}
        if names:
            await self._gone.bulk_write(
                [UpdateOne({"_id": name}, new, upsert=True) for name in sorted(names)],
                ordered=False,
            )

    async def _insert(self, documents: list[Document]) -> frozenset[int]:
        """Insert those that are not there; gives the positions of those that are."""
        try:
            await self._record.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failed = (error.details or {}).get("writeErrors", [])
            if (error.details or {}).get("writeConcernErrors") or any(
                one["code"] != _DUPLICATE_KEY for one in failed
            ):
                raise
            return frozenset(int(one["index"]) for one in failed)
        return frozenset()


def _placed(found: Document) -> Placed | None:
    try:
        return Placed(int(found["place"]), RECORD.validate_json(found["item"]))
    except (ValidationError, KeyError, TypeError) as error:
        _unreadable(found, type(error).__name__)
        return None


def _unreadable(found: Document, error: str) -> None:
    """What stands in it is not told: it may be what a person typed."""
    log.error("kept item of the record cannot be read", item=str(found.get("_id")), error=error)


def _document(placed: Placed) -> Document:
    item = placed.item
    return {
        "_id": f"{item.type}.{item.id}",
        "place": placed.place,
        "type": item.type,
        "at_ms": item.at_ms,
        **_found_by(item),
        "item": item.model_dump_json(),
    }


def _found_by(item: AnyRecord) -> Document:
    """What an order to forget finds an item by."""
    user, lines = named_by(item)
    return {"user": user, "lines": list(lines)} if user else {}
