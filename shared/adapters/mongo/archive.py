"""The archive in MongoDB: `archive` has what is searched, `archive_bodies` the compressed rest.

A body is the state and the history as JSON text, deflated and cut into pieces that a document can
hold. Its pieces are named by execution, sequence and a name of their own; the document in
`archive`, written after them, says which body counts. So a reader finds either the body from before
or the one from after.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.execution_queries import conditions_of, summary_of
from shared.contracts.archive import Archived, ArchivedSummary
from shared.ports.archive import ArchiveQuery

NEWEST: Final = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
PIECE_BYTES: Final = 8 * 1024 * 1024
LEVEL: Final = 3


class MongoArchive:
    """Reads of the collections `archive` and `archive_bodies`."""

    def __init__(self, mongo: Mongo) -> None:
        self._archive = mongo.database["archive"]
        self._bodies = mongo.database["archive_bodies"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads and housekeeping need. Idempotent."""
        await self._archive.create_index(NEWEST)
        for field in ("template_id", "status"):
            await self._archive.create_index([(field, ASCENDING), *NEWEST])
        await self._archive.create_index([("template_id", ASCENDING), ("ended_at_ms", ASCENDING)])
        await self._archive.create_index(
            [("pending", ASCENDING)], partialFilterExpression={"pending": True}
        )

    async def get(self, execution_id: str) -> Archived | None:
        """One execution whole. Read again where it was archived anew, or deleted, meanwhile."""
        seen = ""
        while (document := await self._archive.find_one({"_id": execution_id})) is not None:
            body = await self._body(document)
            if body is not None:
                return Archived.model_validate_json(body)
            if seen == document["body"]:
                raise LookupError(f"the archived body of {execution_id} is not whole")
            seen = document["body"]
        return None

    async def among(self, execution_ids: Collection[str]) -> Sequence[str]:
        """Those of some executions that are archived."""
        if not execution_ids:
            return ()
        wanted = {"_id": {"$in": list(execution_ids)}}
        return [document["_id"] async for document in self._archive.find(wanted, {"_id": 1})]

    async def archived_at_ms(self, execution_id: str) -> int:
        """When it was archived, 0 where it is not."""
        found = await self._archive.find_one({"_id": execution_id}, {"archived_at_ms": 1})
        return int(found["archived_at_ms"]) if found is not None else 0

    async def find(self, query: ArchiveQuery) -> Sequence[ArchivedSummary]:
        """Those that fit, newest first; bodies are not read."""
        conditions = conditions_of(query.execution)
        if query.failure is not None:
            conditions["failure"] = {"$regex": re.escape(query.failure), "$options": "i"}
        if query.execution_id is not None:
            conditions["_id"] = query.execution_id
        cursor = self._archive.find(conditions).sort(NEWEST).limit(query.execution.limit)
        return [_summary(document) async for document in cursor]

    async def _body(self, document: Mapping[str, Any]) -> bytes | None:
        first = document["_id"], document["seq"], document["body"]
        names = pieces(*first, document["pieces"])
        found = {d["_id"]: d["data"] async for d in self._bodies.find({"_id": {"$in": names}})}
        if len(found) < len(names):
            return None
        return zlib.decompress(b"".join(found[name] for name in names))


def pieces(execution_id: str, seq: int, body: str, count: int) -> list[str]:
    """The names of the pieces of a body, in order."""
    return [f"{execution_id}:{seq:012d}:{body}:{number:04d}" for number in range(count)]


def body_of(live: Document, entries: Iterable[str], at_ms: int) -> bytes:
    """An `Archived` as deflated JSON, put together from texts that are not looked into: `live` is
    the execution's document, `entries` are those of its history."""
    stored = f'"partition":{live["partition"]},"seq":{live["seq"]},"state":{live["state"]}'
    text = f'{{"stored":{{{stored}}},"history":[{",".join(entries)}],"archived_at_ms":{at_ms}}}'
    return zlib.compress(text.encode(), LEVEL)


def cut(body: bytes, execution_id: str, seq: int, name: str) -> list[Document]:
    """The pieces of a body of this name, as documents."""
    parts = [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)]
    names = pieces(execution_id, seq, name, len(parts))
    return [{"_id": name, "data": part} for name, part in zip(names, parts, strict=True)]


def _summary(document: Mapping[str, Any]) -> ArchivedSummary:
    return ArchivedSummary(
        **summary_of(document).model_dump(),
        archived_at_ms=document["archived_at_ms"],
        failure=document["failure"],
    )
