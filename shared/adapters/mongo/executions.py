"""States and histories of executions, as the coordinator writes them.

A write stores the histories first, then the states, so that a state never claims a sequence whose
history is missing. A crash between the two writes some history again, cut differently: a document
of the same first sequence is replaced by one that reaches further, and readers skip entries that
they have seen (by sequence). A state carries the journal sequence it has applied
and only replaces one of a lower sequence: a coordinator that lost its partition undoes nothing.

The state is kept as JSON text beside the fields that are searched: outputs of commands may hold any
JSON, also what BSON cannot (large integers, keys with NUL).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from motor.motor_asyncio import AsyncIOMotorClientSession
from pydantic import ValidationError
from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.connection import Document, Mongo
from shared.adapters.mongo.history_ids import history_id
from shared.contracts.history import Quarantined, StoredState
from shared.ports.store import Loaded, StateWrite
from shared.workflow.gates import is_asking
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

HISTORY_BYTES: Final = 4 * 1024 * 1024
"""Entries in one document of history, in bytes of JSON; a document of MongoDB holds 16 MiB."""

HISTORY_CHARACTERS: Final = HISTORY_BYTES // 4
"""Of one entry in one document, where it needs several: a character takes at most four bytes."""

_DUPLICATE_KEY: Final = 11000


class MongoExecutionStore:
    """The collections `executions`, `history` and `quarantine`."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._executions = mongo.database["executions"]
        self._history = mongo.database["history"]
        self._quarantine = mongo.database["quarantine"]
        self._archive = MongoArchive(mongo)

    async def ensure_indexes(self) -> None:
        """Make the indexes that reads by the gateway and by takeovers need. Idempotent."""
        newest = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
        await self._executions.create_index(newest)
        await self._executions.create_index([("status", ASCENDING), *newest])
        await self._executions.create_index([("template_id", ASCENDING), *newest])

    async def load(self, execution_ids: Sequence[str]) -> Loaded:
        """The states of those that exist. One that is damaged hides no other.

        Never an old one: what the journal has been told is stored is not delivered again, so a
        decision on an older state would be wrong for good.
        """
        if not execution_ids:
            return Loaded({})
        async with self._mongo.current() as session:
            loaded = await self._load(execution_ids, session)
        known = loaded.states.keys() | loaded.unreadable.keys()
        archived = await self._load_archived(set(execution_ids) - known)
        return Loaded({**archived, **loaded.states}, loaded.unreadable)

    async def _load_archived(self, execution_ids: Collection[str]) -> dict[str, StoredState]:
        """What was archived exists: a request that is delivered again never begins it anew."""
        found = [(i, await self._archive.get(i)) for i in await self._archive.among(execution_ids)]
        return {i: archived.stored for i, archived in found if archived is not None}

    async def _load(
        self, execution_ids: Sequence[str], session: AsyncIOMotorClientSession
    ) -> Loaded:
        fields = {"partition": 1, "seq": 1, "state": 1}
        states: dict[str, StoredState] = {}
        unreadable: dict[str, str] = {}
        wanted = {"_id": {"$in": list(execution_ids)}}
        async for document in self._executions.find(wanted, fields, session=session):
            try:
                states[document["_id"]] = _stored_state(document)
            except (ValidationError, KeyError) as error:
                unreadable[document["_id"]] = f"{type(error).__name__}: {error}"
        return Loaded(states, unreadable)

    async def write(self, writes: Sequence[StateWrite]) -> frozenset[str]:
        """Store histories, then states; gives the ids whose stored sequence was not lower."""
        histories = [document for write in writes for document in _history_documents(write)]
        if histories:
            await self._insert_histories(histories)
        if not writes:
            return frozenset()
        return await self._update_states(writes)

    async def quarantine(self, message: Quarantined) -> None:
        """Keep a message that could not be applied."""
        document = message.model_dump()
        await self._quarantine.update_one(
            {"_id": f"{message.execution_id}:{message.seq}"}, {"$set": document}, upsert=True
        )

    async def _insert_histories(self, histories: Sequence[Document]) -> None:
        try:
            await self._history.bulk_write([InsertOne(d) for d in histories], ordered=False)
        except BulkWriteError as error:
            # The same first sequence again: a replay after a crash, or a write tried again.
            known = [histories[index] for index in duplicates(error)]
            await self._history.bulk_write([_further(d) for d in known], ordered=False)

    async def _update_states(self, writes: Sequence[StateWrite]) -> frozenset[str]:
        """Replace lower sequences; gives the ids where a higher one stands.

        An insert that lost a race against another one of a lower sequence is refused as a
        duplicate too: it is tried again, and finds a document to replace.
        """
        superseded: frozenset[str] = frozenset()
        while writes:
            refused = await self._try_update(writes)
            there = await self._sequences(refused)
            superseded |= {i for i, write in refused.items() if there[i] > write.stored.seq}
            writes = [write for i, write in refused.items() if there[i] < write.stored.seq]
        return superseded

    async def _try_update(self, writes: Sequence[StateWrite]) -> dict[str, StateWrite]:
        """Those that were refused, by execution id."""
        try:
            await self._executions.bulk_write(
                [_state_update(write.stored) for write in writes], ordered=False
            )
        except BulkWriteError as error:
            refused = [writes[index] for index in duplicates(error)]
            return {write.stored.state.execution_id: write for write in refused}
        return {}

    async def _sequences(self, execution_ids: Collection[str]) -> dict[str, int]:
        """The stored sequence of each; an equal one is our own write, tried again."""
        if not execution_ids:
            return {}
        found = self._executions.find({"_id": {"$in": list(execution_ids)}}, {"seq": 1})
        return {document["_id"]: document["seq"] async for document in found}


def _stored_state(document: Document) -> StoredState:
    return StoredState(
        partition=document["partition"],
        seq=document["seq"],
        state=ExecutionState.model_validate_json(document["state"]),
    )


def _state_update(stored: StoredState) -> UpdateOne:
    state = stored.state
    changing = {
        "seq": stored.seq,
        "status": state.status.value,
        "updated_at_ms": state.updated_at_ms,
        "ended_at_ms": state.ended_at_ms,
        "awaits_approval": is_asking(state),
        "state": state.model_dump_json(exclude_defaults=True),
    }
    constant = {
        "partition": stored.partition,
        "template_id": state.template_id,
        "template_version": state.template_version,
        "category": state.category,
        "requested_by": state.requested_by.id,
        "labels": {name.replace("\0", "\ufffd"): label for name, label in state.labels.items()},
        "created_at_ms": state.created_at_ms,
    }
    return UpdateOne(
        {"_id": state.execution_id, "seq": {"$lt": stored.seq}},
        {"$set": changing, "$setOnInsert": constant},
        upsert=True,
    )


def _history_documents(write: StateWrite) -> Iterator[Document]:
    """The entries of a write, in as many documents as their size needs."""
    some: list[HistoryEntry] = []
    texts: list[str] = []
    size = 0
    for entry in write.entries:
        # Whole: to leave defaults out would leave `type` out, by which entries are read again.
        text = entry.model_dump_json()
        if some and size + len(text) > HISTORY_BYTES:
            yield _history_document(write, some, texts)
            some, texts, size = [], [], 0
        if len(text) > HISTORY_BYTES:
            yield from _parts(write, entry, text)
            continue
        some.append(entry)
        texts.append(text)
        size += len(text)
    if some:
        yield _history_document(write, some, texts)


def _parts(write: StateWrite, entry: HistoryEntry, text: str) -> Iterator[Document]:
    """One entry that no document could hold, as several: many large tasks decided at once."""
    cuts = range(0, len(text), HISTORY_CHARACTERS)
    for part, start in enumerate(cuts):
        document = _history_document(write, [entry], [text[start : start + HISTORY_CHARACTERS]])
        yield document | {
            "_id": f"{document['_id']}:{part:04d}",
            "part": part,
            "parts": len(cuts),
        }


def _history_document(
    write: StateWrite, entries: Sequence[HistoryEntry], texts: Sequence[str]
) -> Document:
    execution_id = write.stored.state.execution_id
    first, last = entries[0].seq, entries[-1].seq
    return {
        "_id": history_id(execution_id, first),
        "execution_id": execution_id,
        "first_seq": first,
        "last_seq": last,
        "entries": list(texts),
    }


def _further(document: Document) -> UpdateOne:
    """Replace a document of history, if this one reaches further."""
    last, entries = document["last_seq"], document["entries"]
    return UpdateOne(
        {"_id": document["_id"], "last_seq": {"$lt": last}},
        {"$set": {"last_seq": last, "entries": entries}},
    )


def duplicates(error: BulkWriteError) -> list[int]:
    """Which writes were refused because their id is there; raises when that is not all."""
    details = error.details or {}
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(e["code"] != _DUPLICATE_KEY for e in errors):
        raise error
    return [e["index"] for e in errors]
