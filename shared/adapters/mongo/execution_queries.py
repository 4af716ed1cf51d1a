"""The query side of executions in MongoDB: lists by their indexed fields, states and histories.

The coordinator writes what is read here (`shared.adapters.mongo.executions`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.history_ids import history_id
from shared.contracts.api.executions import ExecutionSummary
from shared.ports.executions import ExecutionQuery
from shared.workflow.machines.execution import ENDED
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

LARGE_STATE_BYTES: Final = 256 * 1024
"""States from which nothing is learned about what is usual."""

_SEQ: Final = '{"seq":'
"""How the JSON of an entry begins."""

_NEWEST = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]


class MongoExecutionQueries:
    """Reads of the collections `executions` and `history`."""

    def __init__(self, mongo: Mongo) -> None:
        self._executions = mongo.database["executions"]
        self._history = mongo.database["history"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that these queries need. Idempotent."""
        await self._executions.create_index(_NEWEST)
        for field in ("status", "template_id", "category", "requested_by"):
            await self._executions.create_index([(field, ASCENDING), *_NEWEST])
        await self._executions.create_index(
            [("awaits_approval", ASCENDING), *_NEWEST],
            partialFilterExpression={"awaits_approval": True},
        )

    async def get(self, execution_id: str) -> ExecutionState | None:
        """The state as last stored."""
        document = await self._executions.find_one({"_id": execution_id}, {"state": 1})
        return None if document is None else ExecutionState.model_validate_json(document["state"])

    async def get_many(self, execution_ids: Collection[str]) -> Mapping[str, ExecutionState]:
        """The states as last stored, by id."""
        found = self._executions.find({"_id": {"$in": list(execution_ids)}}, {"state": 1})
        return {d["_id"]: ExecutionState.model_validate_json(d["state"]) async for d in found}

    async def find(self, query: ExecutionQuery) -> Sequence[ExecutionSummary]:
        """Those that fit, newest first; states are not read."""
        cursor = self._executions.find(conditions_of(query), {"state": 0})
        return [summary_of(d) async for d in cursor.sort(_NEWEST).limit(query.limit)]

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest ended executions of a template; states that are very large are not read."""
        small = {"$lt": [{"$strLenBytes": "$state"}, LARGE_STATE_BYTES]}
        ended = {"$in": [status.value for status in ENDED]}
        wanted = {"template_id": template_id, "status": ended, "$expr": small}
        cursor = self._executions.find(wanted, {"state": 1}).sort(_NEWEST).limit(limit)
        return [ExecutionState.model_validate_json(d["state"]) async for d in cursor]

    async def history(
        self, execution_id: str, *, after_seq: int = 0, limit: int = 500
    ) -> Sequence[HistoryEntry]:
        """Entries in order, each once: a crash can have written some twice, cut differently."""
        conditions = {
            "_id": {"$gte": history_id(execution_id, 0), "$lt": f"{execution_id};"},
            "execution_id": execution_id,
            "last_seq": {"$gt": after_seq},
        }
        found: list[HistoryEntry] = []
        last = after_seq
        parts: list[str] = []
        async for document in self._history.find(conditions).sort("_id", ASCENDING):
            for text in _texts(document, parts):
                entry = HistoryEntry.model_validate_json(text)
                if entry.seq > last:
                    last = entry.seq
                    found.append(entry)
            if len(found) >= limit:
                break
        return found[:limit]


def raw_entries(documents: Iterable[Document]) -> dict[int, str]:
    """The entries of an execution's documents of history, in order, as JSON by sequence: each once,
    and not looked into."""
    parts: list[str] = []
    found: dict[int, str] = {}
    for document in documents:
        for text in _texts(document, parts):
            found.setdefault(int(text[len(_SEQ) : text.index(",")]), text)
    return dict(sorted(found.items()))


def _texts(document: Document, parts: list[str]) -> Sequence[str]:
    """The entries of a document; of one that was cut the whole, once its last part has come.

    `parts` is what came of it so far. Of an entry whose parts were not all written before a crash
    nothing is given: it is written again, and no state has applied it yet.
    """
    texts: list[str] = document["entries"]
    if "part" not in document:
        return texts
    if document["part"] == 0:
        parts.clear()
    parts += texts
    is_whole = len(parts) == document["parts"] == document["part"] + 1
    return ["".join(parts)] if is_whole else []


def conditions_of(query: ExecutionQuery) -> dict[str, Any]:
    """The conditions of a query, over the searched fields of an execution, live or archived."""
    fields: dict[str, Any] = {
        "template_id": query.template_id,
        "category": query.category,
        "requested_by": query.requested_by,
    }
    conditions = {name: value for name, value in fields.items() if value is not None}
    if query.statuses:
        conditions["status"] = {"$in": list(query.statuses)}
    if query.awaits_approval:
        conditions["awaits_approval"] = True
    if query.label is not None:
        name, value = query.label
        # A label's name may hold dots, which a path in a query must not; both may begin with `$`.
        field = {"$getField": {"field": {"$literal": name}, "input": "$labels"}}
        conditions["$expr"] = {"$eq": [field, {"$literal": value}]}
    created = {"$gte": query.since_ms, "$lte": query.until_ms}
    bounds = {operator: at for operator, at in created.items() if at is not None}
    if bounds:
        conditions["created_at_ms"] = bounds
    if query.before is not None:
        at_ms, execution_id = query.before
        same_time = {"created_at_ms": at_ms, "_id": {"$lt": execution_id}}
        conditions["$or"] = [{"created_at_ms": {"$lt": at_ms}}, same_time]
    return conditions


def summary_of(document: Mapping[str, Any]) -> ExecutionSummary:
    """An execution as lists show it, from its searched fields."""
    ended = document["ended_at_ms"]
    return ExecutionSummary(
        id=document["_id"],
        template_id=document["template_id"],
        template_version=document["template_version"],
        category=document["category"],
        status=document["status"],
        requested_by=document["requested_by"],
        labels=document["labels"],
        created_at_ms=document["created_at_ms"],
        updated_at_ms=document["updated_at_ms"],
        ended_at_ms=ended,
        duration_ms=ended - document["created_at_ms"] if ended else None,
    )
