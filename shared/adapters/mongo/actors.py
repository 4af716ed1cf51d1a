"""Actors of the journal: states as JSON text beside what is searched, a collection for each sort.

A state carries the journal sequence it has applied and only replaces one of a lower sequence. What
was deleted stays for a day, so that nothing late can revive it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.connection import Document, Mongo
from shared.contracts.actors import StoredActor, StoredKey, StoredRollback
from shared.contracts.automations import StoredAutomation
from shared.ports.actors import LoadedActors
from shared.rollback.machine import WITH_SERVICE

KEEP_DELETED_S: Final = 86_400
_DUPLICATE_KEY: Final = 11000
_LIVE: Final = {"$ne": "deleted"}


A = TypeVar("A", bound=StoredActor)


class MongoActorStore(Generic[A]):
    """One collection."""

    def __init__(self, mongo: Mongo, collection: str, stored: type[A]) -> None:
        self._mongo = mongo
        self._actors = mongo.database[collection]
        self._stored = stored

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await self._actors.create_index([("kind", ASCENDING), ("_id", ASCENDING)])
        await self._actors.create_index("deleted_at", expireAfterSeconds=KEEP_DELETED_S)

    async def load(self, ids: Sequence[str]) -> LoadedActors[A]:
        """Those that exist, as a majority holds them now. One that is damaged hides no other."""
        if not ids:
            return LoadedActors({})
        async with self._mongo.current() as session:
            found = self._actors.find({"_id": {"$in": list(ids)}}, session=session)
            return self._read_all([document async for document in found])

    async def write(self, states: Sequence[A]) -> frozenset[str]:
        """Replace lower sequences; gives the ids where a higher one stands."""
        superseded: frozenset[str] = frozenset()
        left = {stored.state.id: stored for stored in states}
        while left:
            refused = await self._try(list(left.values()))
            found = self._actors.find({"_id": {"$in": refused}}, {"seq": 1})
            there = {document["_id"]: int(document["seq"]) async for document in found}
            superseded |= {one for one in refused if there.get(one, 0) > left[one].seq}
            left = {one: left[one] for one in refused if there.get(one, 0) < left[one].seq}
        return superseded

    async def get(self, actor_id: str) -> A | None:
        """One, unless it was deleted."""
        found = await self._actors.find_one({"_id": actor_id, "status": _LIVE})
        return None if found is None else self._read(found)

    async def all(self, kind: str) -> Sequence[A]:
        """All of a kind that are not deleted, oldest first."""
        found = self._actors.find({"kind": kind, "status": _LIVE}).sort("_id", ASCENDING)
        return list(self._read_all([document async for document in found]).states.values())

    async def peek(self, actor_id: str) -> A | None:
        """One, also a deleted one."""
        found = await self._actors.find_one({"_id": actor_id})
        return None if found is None else self._read(found)

    async def _try(self, states: Sequence[A]) -> list[str]:
        """The ids of those that were refused since something else is stored."""
        try:
            await self._actors.bulk_write([_update(one) for one in states], ordered=False)
        except BulkWriteError as error:
            details = error.details or {}
            errors = details.get("writeErrors", [])
            if details.get("writeConcernErrors") or any(
                e["code"] != _DUPLICATE_KEY for e in errors
            ):
                raise
            return [states[e["index"]].state.id for e in errors]
        return []

    def _read_all(self, documents: Sequence[Document]) -> LoadedActors[A]:
        states: dict[str, A] = {}
        unreadable: dict[str, str] = {}
        for document in documents:
            try:
                states[document["_id"]] = self._read(document)
            except (ValueError, KeyError) as error:
                unreadable[document["_id"]] = f"{type(error).__name__}: {error}"
        return LoadedActors(states, unreadable)

    def _read(self, document: Document) -> A:
        state = json.loads(document["state"])
        return self._stored.model_validate(
            {"partition": document["partition"], "seq": document["seq"], "state": state}
        )


class MongoAutomationStore(MongoActorStore[StoredAutomation]):
    """The collection `automations`."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo, "automations", StoredAutomation)

    async def ids_of(self, receiver: str) -> Sequence[str]:
        """The ids of the rules of a receiver."""
        wanted = {"kind": "rule", "receiver": receiver, "status": _LIVE}
        found = self._actors.find(wanted, {"_id": 1}).sort("_id", ASCENDING)
        return [document["_id"] async for document in found]


class MongoKeyStateStore(MongoActorStore[StoredKey]):
    """The collection `concurrency_keys`."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo, "concurrency_keys", StoredKey)


class MongoRollbackStore(MongoActorStore[StoredRollback]):
    """The collection `rollbacks`."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo, "rollbacks", StoredRollback)

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await super().ensure_indexes()
        await self._actors.create_index([("changed_at_ms", DESCENDING), ("_id", DESCENDING)])
        await self._actors.create_index([("status", ASCENDING), ("changed_at_ms", ASCENDING)])

    async def newest(
        self, status: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredRollback]:
        """Those that changed last, first."""
        wanted: Document = {"kind": "rollback"}
        if status is not None:
            wanted["status"] = status
        if before is not None:
            at_ms, last = before
            earlier = {"changed_at_ms": {"$lt": at_ms}}
            wanted["$or"] = [earlier, {"changed_at_ms": at_ms, "_id": {"$lt": last}}]
        order = [("changed_at_ms", DESCENDING), ("_id", DESCENDING)]
        found = self._actors.find(wanted).sort(order).limit(limit)
        return list(self._read_all([document async for document in found]).states.values())

    async def waiting_since(self) -> int | None:
        """Since when the one has waited that waits longest for a rollback service."""
        wanted = {"status": {"$in": sorted(WITH_SERVICE)}}
        fields = {"_id": 0, "changed_at_ms": 1}
        order = [("changed_at_ms", ASCENDING)]
        found = await self._actors.find_one(wanted, fields, sort=order)
        return int(found["changed_at_ms"]) if found is not None else None


def _update(stored: StoredActor) -> UpdateOne:
    fields: Document = {
        **stored.searchable(),
        "partition": stored.partition,
        "seq": stored.seq,
        "state": stored.state.model_dump_json(),
    }
    changes: Document = {"$set": fields}
    if stored.state.status == "deleted":
        fields["deleted_at"] = datetime.fromtimestamp(stored.state.changed_at_ms / 1_000, UTC)
    else:
        changes["$unset"] = {"deleted_at": ""}
    return UpdateOne({"_id": stored.state.id, "seq": {"$lt": stored.seq}}, changes, upsert=True)
