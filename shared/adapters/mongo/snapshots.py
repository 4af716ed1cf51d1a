"""Snapshots of models in MongoDB: `snapshots` says what there is, `snapshot_pieces` has the bytes.

The bytes are cut into pieces that a document can hold. They are written first, and the document in
`snapshots` after them, so that who finds it finds them, too. Deleting goes the other way; what a
crash leaves of either belongs to no snapshot, and is swept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Final

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Document, Mongo
from shared.ports.snapshots import Snapshot, newest_first

PIECE_BYTES: Final = 4 * 1024 * 1024


class MongoSnapshots:
    """The collections `snapshots` and `snapshot_pieces`."""

    def __init__(self, mongo: Mongo) -> None:
        self._snapshots = mongo.database["snapshots"]
        self._pieces = mongo.database["snapshot_pieces"]

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await self._snapshots.create_index([("model", ASCENDING), ("place", ASCENDING)])
        await self._pieces.create_index([("at_ms", ASCENDING)])

    async def put(self, snapshot: Snapshot, data: bytes) -> None:
        """Keep a snapshot, whole or not at all."""
        for number, start in enumerate(range(0, len(data), PIECE_BYTES)):
            piece = {
                "_id": _piece(snapshot.id, number),
                "snapshot": snapshot.id,
                "at_ms": snapshot.at_ms,
                "data": data[start : start + PIECE_BYTES],
            }
            await self._pieces.replace_one({"_id": piece["_id"]}, piece, upsert=True)
        document = asdict(snapshot)
        document["_id"] = document.pop("id")
        try:
            await self._snapshots.insert_one(document)
        except DuplicateKeyError:
            return

    async def find(self, model: str = "") -> Sequence[Snapshot]:
        """Those of a model, or of all, the highest place first."""
        wanted = {"model": model} if model else {}
        return newest_first([_snapshot(found) async for found in self._snapshots.find(wanted)])

    async def data(self, snapshot: Snapshot) -> bytes | None:
        """The bytes; `None` when it is gone or damaged."""
        count = -(-snapshot.size // PIECE_BYTES)
        whole = bytearray()
        for number in range(count):
            found = await self._pieces.find_one({"_id": _piece(snapshot.id, number)})
            if found is None:
                return None
            whole += found["data"]
        data = bytes(whole)
        return data if sha256(data).hexdigest() == snapshot.digest else None

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove these."""
        among = {"$in": list(ids)}
        await self._snapshots.delete_many({"_id": among})
        await self._pieces.delete_many({"snapshot": among})

    async def sweep(self, before_ms: int) -> int:
        """Remove old pieces that belong to no snapshot."""
        there = await self._snapshots.distinct("_id")
        left = {"at_ms": {"$lt": before_ms}, "snapshot": {"$nin": there}}
        return int((await self._pieces.delete_many(left)).deleted_count)


def _piece(snapshot: str, number: int) -> str:
    return f"{snapshot}:{number:04d}"


def _snapshot(found: Document) -> Snapshot:
    return Snapshot(id=found.pop("_id"), **found)
