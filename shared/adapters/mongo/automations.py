"""The collection `automations`: states of schedules as JSON text beside what is searched.

A state carries the journal sequence it has applied and only replaces one of a lower sequence. What
was deleted stays for a day, so that nothing late can revive it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.connection import Document, Mongo
from shared.contracts.automations import ANY_STATE, StoredAutomation

KEEP_DELETED_S: Final = 86_400
_DUPLICATE_KEY: Final = 11000
_LIVE: Final = {"$ne": "deleted"}


class MongoAutomationStore:
    """The collection `automations`."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._automations = mongo.database["automations"]

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await self._automations.create_index([("kind", ASCENDING), ("_id", ASCENDING)])
        await self._automations.create_index("deleted_at", expireAfterSeconds=KEEP_DELETED_S)

    async def load(self, ids: Sequence[str]) -> Mapping[str, StoredAutomation]:
        """Those that exist, as a majority holds them now."""
        if not ids:
            return {}
        async with self._mongo.current() as session:
            found = self._automations.find({"_id": {"$in": list(ids)}}, session=session)
            return {document["_id"]: _stored(document) async for document in found}

    async def write(self, states: Sequence[StoredAutomation]) -> frozenset[str]:
        """Replace lower sequences; gives the ids where a higher one stands."""
        superseded: frozenset[str] = frozenset()
        left = {stored.state.id: stored for stored in states}
        while left:
            refused = await self._try(list(left.values()))
            found = self._automations.find({"_id": {"$in": refused}}, {"seq": 1})
            there = {document["_id"]: int(document["seq"]) async for document in found}
            superseded |= {one for one in refused if there.get(one, 0) > left[one].seq}
            left = {one: left[one] for one in refused if there.get(one, 0) < left[one].seq}
        return superseded

    async def get(self, automation_id: str) -> StoredAutomation | None:
        """One, unless it was deleted."""
        found = await self._automations.find_one({"_id": automation_id, "status": _LIVE})
        return None if found is None else _stored(found)

    async def all(self, kind: str) -> Sequence[StoredAutomation]:
        """All of a kind that are not deleted, oldest first."""
        found = self._automations.find({"kind": kind, "status": _LIVE}).sort("_id", ASCENDING)
        return [_stored(document) async for document in found]

    async def peek(self, automation_id: str) -> StoredAutomation | None:
        """One, also a deleted one."""
        found = await self._automations.find_one({"_id": automation_id})
        return None if found is None else _stored(found)

    async def _try(self, states: Sequence[StoredAutomation]) -> list[str]:
        """The ids of those that were refused since something else is stored."""
        try:
            await self._automations.bulk_write([_update(one) for one in states], ordered=False)
        except BulkWriteError as error:
            details = error.details or {}
            errors = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(
                e["code"] != _DUPLICATE_KEY for e in errors
            ):
                raise
            return [states[e["index"]].state.id for e in errors]
        return []


def _update(stored: StoredAutomation) -> UpdateOne:
    fields: Document = {
        **stored.searchable(),
        "partition": stored.partition,
        "seq": stored.seq,
        "state": ANY_STATE.dump_json(stored.state).decode(),
    }
    if stored.state.status == "deleted":
        fields["deleted_at"] = datetime.fromtimestamp(stored.state.changed_at_ms / 1_000, UTC)
    return UpdateOne(
        {"_id": stored.state.id, "seq": {"$lt": stored.seq}}, {"$set": fields}, upsert=True
    )


def _stored(document: Document) -> StoredAutomation:
    return StoredAutomation(
        partition=document["partition"],
        seq=document["seq"],
        state=ANY_STATE.validate_json(document["state"]),
    )
