"""The collection `outcomes`: what is learned of outcomes, each view as JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import structlog
from pydantic import ValidationError
from pymongo import ASCENDING, DESCENDING, DeleteMany, ReplaceOne
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.outcomes.views import ProposalView, Status, View

log = structlog.get_logger()

V = TypeVar("V", bound=View)


class MongoOutcomeViews:
    """Views by their kind and key."""

    def __init__(self, mongo: Mongo) -> None:
        self._views = mongo.database["outcomes"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that lists need. Idempotent."""
        order = [("rank", DESCENDING), ("key", ASCENDING)]
        await self._views.create_index([("kind", ASCENDING), *order])
        await self._views.create_index([("kind", ASCENDING), ("group", ASCENDING), *order])

    async def put(self, views: Sequence[View]) -> None:
        """Keep views; one of the same kind and key is replaced."""
        if views:
            await self._views.bulk_write(
                [ReplaceOne({"_id": _id(one)}, _document(one), upsert=True) for one in views],
                ordered=False,
            )

    async def remove(self, kind: type[View], keys: Sequence[str]) -> None:
        """Remove views, where they are."""
        if keys:
            gone = DeleteMany({"kind": kind.kind, "key": {"$in": list(keys)}})
            await self._views.bulk_write([gone])

    async def get(self, kind: type[V], key: str) -> V | None:
        """One view, or `None`."""
        found = await self._views.find_one({"_id": f"{kind.kind}:{key}"})
        return _view(kind, found) if found is not None else None

    async def page(
        self,
        kind: type[V],
        *,
        group: str | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> Sequence[V]:
        """Views of one kind (and group) by rank, highest first, and of equal rank by key."""
        wanted: dict[str, Any] = {"kind": kind.kind}
        if group is not None:
            wanted["group"] = group
        if after is not None:
            rank, key = after
            wanted["$or"] = [{"rank": {"$lt": rank}}, {"rank": rank, "key": {"$gt": key}}]
        cursor = self._views.find(wanted).sort([("rank", DESCENDING), ("key", ASCENDING)])
        found = [_view(kind, one) async for one in cursor.limit(limit)]
        return [one for one in found if one is not None]

    async def keys(self, kind: type[View]) -> Sequence[str]:
        """The keys of every view of one kind, in order."""
        cursor = self._views.find({"kind": kind.kind}, {"key": 1}).sort("key", ASCENDING)
        return [str(one["key"]) async for one in cursor]

    async def change(self, view: ProposalView, expected: Status | None) -> bool:
        """Keep a proposal if the one of its key stands as expected."""
        if expected is None:
            try:
                await self._views.insert_one(_document(view))
            except DuplicateKeyError:
                return False
            return True
        wanted = {"_id": _id(view), "group": expected}
        replaced = await self._views.replace_one(wanted, _document(view))
        return int(replaced.matched_count) == 1


def _id(view: View) -> str:
    return f"{view.kind}:{view.key}"


def _document(view: View) -> Document:
    return {
        "_id": _id(view),
        "kind": view.kind,
        "key": view.key,
        "rank": view.rank,
        "group": view.group,
        "view": view.model_dump_json(),
    }


def _view(kind: type[V], found: Document) -> V | None:
    """The view; None of one that another version wrote, which the learning service writes anew."""
    try:
        return kind.model_validate_json(found["view"])
    except (ValidationError, KeyError, TypeError) as error:
        log.warning("view cannot be read", view=str(found.get("_id")), error=type(error).__name__)
        return None
