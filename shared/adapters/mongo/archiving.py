"""Moving executions into the archive, and deleting them from it.

`copy` writes the body, then the document that points to it, with `pending`. `finish` deletes the
live state, if it is still the one that was copied, then the history that the archive holds, then
the mark. Whoever is cut off leaves the mark, and everything else can be done again. What an
execution was told after it was copied has a higher sequence, and is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.archive import MongoArchive, body_of, cut
from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.execution_queries import raw_entries
from shared.adapters.mongo.executions import duplicates
from shared.adapters.mongo.history_ids import history_id
from shared.adapters.mongo.rollback_remains import MongoRollbackRemains
from shared.contracts.archive import failure_text
from shared.workflow.machines.execution import ENDED

BATCH_CHARACTERS: Final = 1_000_000
"""Of states that are copied together; what is larger has a long history, too."""
_ENDED = {"$in": [status.value for status in ENDED]}


class MongoArchiving:
    """Writes of `archive` and `archive_bodies`, deletions in `executions` and `history`."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._executions = mongo.database["executions"]
        self._history = mongo.database["history"]
        self._archive = mongo.database["archive"]
        self._bodies = mongo.database["archive_bodies"]
        self._reads = MongoArchive(mongo)
        self._remains = MongoRollbackRemains(mongo)

    async def ensure_indexes(self) -> None:
        """Those of the archive; the live store needs none for this."""
        await self._reads.ensure_indexes()

    async def templates(self) -> Sequence[str]:
        """Every template that has executions."""
        live = await self._executions.distinct("template_id")
        return sorted({*live, *await self._archive.distinct("template_id")})

    async def due(
        self, template_id: str, *, ended_before_ms: int, keep_last: int, settled_ms: int, limit: int
    ) -> Sequence[str]:
        """By the index of template and creation, which is there for lists: an execution is created
        before it ends, so what was created later is not looked at."""
        found = await self._ended(template_id, ended_before_ms, ended_before_ms, limit)
        if len(found) < limit:
            newest = {"template_id": template_id}
            order = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
            cursor = self._executions.find(newest, {"created_at_ms": 1}).sort(order)
            beyond = await cursor.skip(keep_last).limit(1).to_list(1)
            if beyond:
                at_ms = beyond[0]["created_at_ms"] + 1
                found += await self._ended(template_id, at_ms, settled_ms, limit)
        return list(dict.fromkeys(found))[:limit]

    async def _ended(
        self, template_id: str, created_before_ms: int, ended_before_ms: int, limit: int
    ) -> list[str]:
        wanted = {
            "template_id": template_id,
            "created_at_ms": {"$lt": created_before_ms},
            "status": _ENDED,
            "ended_at_ms": {"$lt": ended_before_ms},
        }
        order = [("created_at_ms", ASCENDING), ("_id", ASCENDING)]
        cursor = self._executions.find(wanted, {"_id": 1}).sort(order).limit(limit)
        return [document["_id"] async for document in cursor]

    async def copy(self, execution_ids: Sequence[str], at_ms: int) -> Sequence[str]:
        """Many together, and those of a long history one at a time."""
        wanted = {"_id": {"$in": list(execution_ids)}, "status": _ENDED}
        copied: list[str] = []
        some: list[Document] = []
        size = 0
        async for live in self._executions.find(wanted):
            some.append(live)
            size += len(live["state"])
            if size > BATCH_CHARACTERS:
                copied += await self._copy(some, at_ms)
                some, size = [], 0
        return [*copied, *(await self._copy(some, at_ms) if some else ())]

    async def _copy(self, live: Sequence[Document], at_ms: int) -> list[str]:
        histories = await self._histories([one["_id"] for one in live])
        # In this order: what another one archives and removes meanwhile is in one of the two.
        before = await self._reads.among(list(histories))
        for execution_id in before:
            archived = await self._reads.get(execution_id)
            older = archived.history if archived is not None else ()
            found = {entry.seq: entry.model_dump_json() for entry in older}
            merged = {**histories[execution_id], **found}
            histories[execution_id] = dict(sorted(merged.items()))
        made = await asyncio.to_thread(_packed, live, histories, at_ms)
        await self._bodies.bulk_write([InsertOne(piece) for one in made for piece in one.pieces])
        late = await self._point(made)
        return [one.entry["_id"] for n, one in enumerate(made) if n not in late]

    async def _histories(self, execution_ids: Sequence[str]) -> dict[str, dict[int, str]]:
        """What is live of each history, as JSON by sequence."""
        ranges = [{"_id": _range(one)} for one in execution_ids]
        documents: dict[str, list[Document]] = {one: [] for one in execution_ids}
        async for document in self._history.find({"$or": ranges}).sort("_id", ASCENDING):
            documents[document["execution_id"]].append(document)
        return {one: raw_entries(found) for one, found in documents.items()}

    async def _point(self, made: Sequence[_Packed]) -> frozenset[int]:
        """Let what is searched point to the new bodies. Gives those for which that came too late,
        since a newer one is archived: what is live of them is out of date, and goes."""
        writes = [
            ReplaceOne(
                {"_id": one.entry["_id"], "seq": {"$lte": one.entry["seq"]}}, one.entry, True
            )
            for one in made
        ]
        try:
            await self._archive.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            late = frozenset(duplicates(error))
            await self._remove([(made[n].entry["_id"], made[n].entry["seq"]) for n in late])
            return late
        return frozenset()

    async def finish(self, execution_ids: Sequence[str]) -> None:
        """Remove from the live store what the archive holds."""
        marked = {"_id": {"$in": list(execution_ids)}, "pending": True}
        found = [(d["_id"], d["seq"]) async for d in self._archive.find(marked, {"seq": 1})]
        if not found:
            return
        await self._remove(found)
        await self._forget_bodies(found)
        unmark = {"$unset": {"pending": ""}}
        await self._archive.bulk_write(
            [UpdateOne({"_id": i, "seq": seq}, unmark) for i, seq in found], ordered=False
        )

    async def _remove(self, found: Sequence[tuple[str, int]]) -> None:
        """Live states up to a sequence, and, where nothing newer is live, their history."""
        await self._executions.bulk_write(
            [DeleteOne({"_id": i, "seq": {"$lte": seq}, "status": _ENDED}) for i, seq in found],
            ordered=False,
        )
        there = {"_id": {"$in": [i for i, _ in found]}}
        newer = {d["_id"] async for d in self._executions.find(there, {"_id": 1})}
        gone = [(i, seq) for i, seq in found if i not in newer]
        if gone:
            await self._history.bulk_write([DeleteMany(_held(i, seq)) for i, seq in gone])

    async def _forget_bodies(self, found: Iterable[tuple[str, int]]) -> None:
        """Bodies from before an execution was archived anew."""
        older = [
            DeleteMany({"_id": {"$gte": f"{i}:", "$lt": f"{i}:{seq:012d}"}}) for i, seq in found
        ]
        await self._bodies.bulk_write(older)

    async def unfinished(self, limit: int) -> Sequence[str]:
        """Those with the mark."""
        cursor = self._archive.find({"pending": True}, {"_id": 1}).limit(limit)
        return [document["_id"] async for document in cursor]

    async def expired(self, template_id: str, ended_before_ms: int, limit: int) -> Sequence[str]:
        """Archived executions that ended before a time."""
        wanted = {"template_id": template_id, "ended_at_ms": {"$lt": ended_before_ms}}
        cursor = self._archive.find(wanted, {"_id": 1}).sort("ended_at_ms", ASCENDING).limit(limit)
        return [document["_id"] async for document in cursor]

    async def delete(self, execution_ids: Sequence[str]) -> int:
        """The document first: without it nobody looks for the body."""
        alive = {"_id": {"$in": list(execution_ids)}}
        live = {d["_id"] async for d in self._executions.find(alive, {"_id": 1})}
        ids = [i for i in execution_ids if i not in live]
        if not ids:
            return 0
        generated = await self._remains.generated(ids)
        done = await self._archive.delete_many({"_id": {"$in": ids}})
        ranges = [DeleteMany({"_id": {"$gte": f"{i}:", "$lt": f"{i};"}}) for i in ids]
        await self._bodies.bulk_write(ranges)
        await self._remains.forget(ids, generated)
        return int(done.deleted_count)

    async def count(self) -> int:
        """About how many are archived."""
        return int(await self._archive.estimated_document_count())


@dataclass(frozen=True, slots=True)
class _Packed:
    """An execution ready for the archive: what is searched of it, and the pieces of its body."""

    entry: Document
    pieces: Sequence[Document]


def _packed(
    live: Sequence[Document], histories: Mapping[str, Mapping[int, str]], at_ms: int
) -> list[_Packed]:
    """In a thread: to compress takes its time. What cannot be read stays where it is."""
    made = []
    for one in live:
        with contextlib.suppress(ValueError):
            made.append(_pack(one, histories[one["_id"]], at_ms))
    return made


def _pack(live: Document, history: Mapping[int, str], at_ms: int) -> _Packed:
    execution_id, seq, name = live["_id"], live["seq"], str(ObjectId())
    failure = failure_text(json.loads(live["state"]))
    entries = (text for number, text in history.items() if number <= seq)
    pieces = cut(body_of(live, entries, at_ms), execution_id, seq, name)
    searched = {field: value for field, value in live.items() if field != "state"}
    entry = {**searched, "failure": failure, "archived_at_ms": at_ms, "pending": True}
    return _Packed({**entry, "body": name, "pieces": len(pieces)}, pieces)


def _range(execution_id: str) -> Document:
    """The ids of an execution's documents of history."""
    return {"$gte": history_id(execution_id, 0), "$lt": f"{execution_id};"}


def _held(execution_id: str, seq: int) -> Document:
    """History of an execution up to a sequence, by the index of its ids."""
    return {
        "_id": _range(execution_id),
        "execution_id": execution_id,
        "last_seq": {"$lte": seq},
    }
