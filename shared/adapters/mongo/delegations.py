"""The collection `delegations`. A change is a compare-and-set on the revision.

The delegation is kept as JSON text beside the fields that are searched: details and results may
hold any JSON, also what BSON cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.paging import earlier
from shared.collective.delegating import apply_change
from shared.collective.verbs import DelegationVerbs
from shared.contracts.delegations import (
    DELEGATION,
    OPEN,
    Delegation,
    DelegationChange,
    DelegationFilter,
)
from shared.ports.collective import ConflictError, NotFoundError

TRIES: Final = 10
"""How often a change is tried when others change the same delegation at once."""


class MongoDelegations(DelegationVerbs):
    """Delegations in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._delegations = mongo.database["delegations"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads need. Idempotent."""
        newest = ("created_at_ms", DESCENDING)
        await self._delegations.create_index([newest])
        await self._delegations.create_index([("status", ASCENDING), ("participant", ASCENDING)])
        await self._delegations.create_index([("participant", ASCENDING), newest])
        await self._delegations.create_index([("execution_id", ASCENDING), newest])

    async def offer(self, delegation: Delegation) -> Delegation:
        """Keep a new one; gives the one with this id that is kept already, if there is."""
        try:
            await self._delegations.insert_one({"_id": delegation.id, **_fields(delegation)})
        except DuplicateKeyError:
            return await self._existing(delegation.id)
        return delegation

    async def get(self, delegation_id: str) -> Delegation | None:
        """One delegation."""
        document = await self._delegations.find_one({"_id": delegation_id}, {"delegation": 1})
        return None if document is None else _delegation(document)

    async def find(self, wanted: DelegationFilter) -> Sequence[Delegation]:
        """Those that fit, newest first."""
        order = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
        cursor = self._delegations.find(_conditions(wanted), {"delegation": 1})
        return [_delegation(d) async for d in cursor.sort(order).limit(wanted.limit)]

    async def open_counts(self) -> Mapping[str, int]:
        """How many open delegations each participant has."""
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {"status": {"$in": [status.value for status in OPEN]}}},
            {"$group": {"_id": "$participant", "count": {"$sum": 1}}},
        ]
        return {d["_id"]: d["count"] async for d in self._delegations.aggregate(pipeline)}

    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Read, apply, write if nobody else wrote meanwhile; else look again."""
        for _ in range(TRIES):
            before = await self._existing(delegation_id)
            after = apply_change(before, change, at_ms)
            if after is before or await self._replace(before, after):
                return after
        raise ConflictError(f"delegation {delegation_id}: changed {TRIES} times meanwhile")

    async def _replace(self, before: Delegation, after: Delegation) -> bool:
        result = await self._delegations.update_one(
            {"_id": before.id, "revision": before.revision}, {"$set": _fields(after)}
        )
        return bool(result.matched_count)

    async def _existing(self, delegation_id: str) -> Delegation:
        delegation = await self.get(delegation_id)
        if delegation is None:
            raise NotFoundError(f"there is no delegation {delegation_id}")
        return delegation


def _conditions(wanted: DelegationFilter) -> dict[str, Any]:
    conditions: list[dict[str, Any]] = []
    if wanted.participant is not None:
        conditions.append({"participant": wanted.participant})
    if wanted.execution_id is not None:
        conditions.append({"execution_id": wanted.execution_id})
    if wanted.statuses:
        conditions.append({"status": {"$in": [status.value for status in wanted.statuses]}})
    if wanted.overdue_at_ms is not None:
        unended = [s.value for s in type(DELEGATION.initial) if s not in DELEGATION.terminal]
        conditions.append({"status": {"$in": unended}})
        conditions.append({"deadline_ms": {"$lte": wanted.overdue_at_ms}})
    if wanted.before_ms is not None:
        conditions.append(earlier("created_at_ms", wanted.before_ms, wanted.before_id))
    return {"$and": conditions} if conditions else {}


def _fields(delegation: Delegation) -> Document:
    return {
        "status": delegation.status.value,
        "participant": delegation.participant,
        "execution_id": delegation.execution_id,
        "created_at_ms": delegation.created_at_ms,
        "deadline_ms": delegation.deadline_ms,
        "revision": delegation.revision,
        "delegation": delegation.model_dump_json(),
    }


def _delegation(document: Mapping[str, Any]) -> Delegation:
    return Delegation.model_validate_json(document["delegation"])
