"""API keys in MongoDB. A partial unique index keeps the names of keys in force apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Mongo
from shared.contracts.api.keys import ApiKey
from shared.ports.keys import KeyNameTakenError


class MongoKeyStore:
    """The collection `api_keys`."""

    def __init__(self, mongo: Mongo) -> None:
        self._keys = mongo.database["api_keys"]

    async def ensure_indexes(self) -> None:
        """Make the indexes that keys need. Idempotent."""
        await self._keys.create_index([("secret_hash", ASCENDING)], unique=True)
        await self._keys.create_index(
            [("name", ASCENDING)], unique=True, partialFilterExpression={"revoked_at_ms": 0}
        )

    async def add(self, key: ApiKey, secret_hash: str) -> None:
        """Store a key; raises `KeyNameTakenError`."""
        fields = key.model_dump(mode="json", exclude={"id"})
        try:
            await self._keys.insert_one({"_id": key.id, **fields, "secret_hash": secret_hash})
        except DuplicateKeyError as error:
            raise KeyNameTakenError(key.name) from error

    async def by_hash(self, secret_hash: str) -> ApiKey | None:
        """The key with this secret hash, revoked ones included."""
        document = await self._keys.find_one({"secret_hash": secret_hash})
        return None if document is None else _key(document)

    async def used(self, key_id: str, at_ms: int) -> None:
        """Remember when a key was last used."""
        await self._keys.update_one({"_id": key_id}, {"$max": {"last_used_at_ms": at_ms}})

    async def revoke(self, key_id: str, at_ms: int) -> ApiKey | None:
        """Put a key out of force for ever; a revoked one keeps its first time."""
        await self._keys.update_one(
            {"_id": key_id, "revoked_at_ms": 0}, {"$set": {"revoked_at_ms": at_ms}}
        )
        document = await self._keys.find_one({"_id": key_id})
        return None if document is None else _key(document)

    async def all(self) -> Sequence[ApiKey]:
        """Every key, newest first."""
        newest = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
        return [_key(document) async for document in self._keys.find().sort(newest)]


def _key(document: Mapping[str, Any]) -> ApiKey:
    fields = {name: document[name] for name in ApiKey.model_fields if name in document}
    return ApiKey(id=document["_id"], **fields)
