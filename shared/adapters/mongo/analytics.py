"""The collection `analytics`: a document of JSON text for each table, by its name; and one, `_id`
`counted`, that says how far it is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pymongo import ASCENDING, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.analytics.periods import Kept
from shared.analytics.views import Name
from shared.ports.analytics import Counted, digest_of

AT_ONCE: Final = 500
"""Tables in one write."""
_COUNTED: Final = "counted"
_DUPLICATE: Final = 11000


class MongoAnalyticsStore:
    """Tables of analytics in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._tables = mongo.database["analytics"]

    async def ensure_indexes(self) -> None:
        """Make the index that tables expire by. Idempotent."""
        await self._tables.create_index([("level", ASCENDING), ("start_ms", ASCENDING)])

    async def write(self, tables: Mapping[Name, str], place: int) -> None:
        """Keep these, where nothing later is kept."""
        documents = [_document(name, text, place) for name, text in tables.items()]
        for some in _batches(documents):
            there = await self._write(some, place, upsert=True)
            if there:
                # Of these a later one is kept, or another writer was quicker to insert the first.
                await self._write([some[number] for number in there], place, upsert=False)

    async def _write(self, some: Sequence[Document], place: int, *, upsert: bool) -> list[int]:
        """Write documents; gives which of them cannot be inserted, since they are there."""
        earlier = {"$lte": place}
        writes = [
            ReplaceOne({"_id": one["_id"], "place": earlier}, one, upsert=upsert) for one in some
        ]
        try:
            await self._tables.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return _there_already(error)
        return []

    async def tell(self, counted: Counted) -> None:
        """Say how far it is counted."""
        known = {"_id": _COUNTED, "place": {"$lte": counted.place}}
        document = {"_id": _COUNTED, **asdict(counted)}
        try:
            await self._tables.replace_one(known, document, upsert=True)
        except DuplicateKeyError:
            await self._tables.replace_one(known, document)

    async def counted(self) -> Counted:
        """How far it is counted."""
        found = await self._tables.find_one({"_id": _COUNTED})
        if found is None:
            return Counted()
        return Counted(found["place"], found["newest_ms"], Kept(**found["kept"]))

    async def read(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """Those of these that are there."""
        if not names:
            return {}
        by_id = {name.text(): name for name in names}
        cursor = self._tables.find({"_id": {"$in": list(by_id)}}, {"text": 1})
        found = await cursor.to_list(len(by_id))
        return {by_id[one["_id"]]: one["text"] for one in found}

    async def digests(self) -> Mapping[Name, str]:
        """Every table that is there, and the digest of its text."""
        cursor = self._tables.find({"_id": {"$ne": _COUNTED}}, {"digest": 1})
        return {Name.read(one["_id"]): one["digest"] async for one in cursor}

    async def remove(self, names: Sequence[Name]) -> None:
        """Remove these."""
        for some in _batches([name.text() for name in names]):
            await self._tables.delete_many({"_id": {"$in": list(some)}})

    async def expire(self, kept: Kept) -> int:
        """Remove tables of periods that began before they are kept."""
        removed = 0
        for level, since_ms in kept.by_level().items():
            old = {"level": level, "start_ms": {"$lt": since_ms}}
            removed += (await self._tables.delete_many(old)).deleted_count
        return removed


def _document(name: Name, text: str, place: int) -> Document:
    return {
        "_id": name.text(),
        "level": name.period.level,
        "start_ms": name.period.start_ms,
        "place": place,
        "digest": digest_of(text),
        "text": text,
    }


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def _there_already(error: BulkWriteError) -> list[int]:
    errors = error.details.get("writeErrors", [])
    if not errors or any(one.get("code") != _DUPLICATE for one in errors):
        raise error
    return [one["index"] for one in errors]
