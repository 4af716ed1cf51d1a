"""Executions that have ended, live and archived, by the index that lists have, read backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo import ASCENDING

from shared.adapters.mongo.connection import Mongo
from shared.ports.ended import Ended
from shared.workflow.machines.execution import ENDED

_ENDED: Final = {"$in": [status.value for status in ENDED]}
_FIELDS: Final = {"created_at_ms": 1, "ended_at_ms": 1, "status": 1}
_OLDEST: Final = [("created_at_ms", ASCENDING), ("_id", ASCENDING)]


class MongoEndedExecutions:
    """Reads of the collections `executions` and `archive`."""

    def __init__(self, mongo: Mongo) -> None:
        self._homes = (mongo.database["executions"], mongo.database["archive"])

    async def page(self, after: Ended | None, limit: int) -> Sequence[Ended]:
        """Those behind one, oldest first."""
        conditions: dict[str, Any] = {"status": _ENDED}
        if after is not None:
            same_time = {"created_at_ms": after.created_at_ms, "_id": {"$gt": after.id}}
            later = {"created_at_ms": {"$gt": after.created_at_ms}}
            # The range is said once more beside the alternatives, for the index.
            conditions |= {"created_at_ms": {"$gte": after.created_at_ms}}
            conditions["$or"] = [later, same_time]
        found: dict[str, Ended] = {}
        for home in self._homes:
            async for one in home.find(conditions, _FIELDS).sort(_OLDEST).limit(limit):
                ended = Ended(one["created_at_ms"], one["_id"], one["ended_at_ms"], one["status"])
                found.setdefault(ended.id, ended)
        return sorted(found.values())[:limit]

    async def count(self) -> int:
        """About how many there are; those that run now are counted, too."""
        return sum([await home.estimated_document_count() for home in self._homes])
