"""The collection `receivers`: contracts as documents of their fields, and sealed secrets."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import DESCENDING, ReturnDocument

from shared.adapters.mongo.connection import Document, Mongo
from shared.contracts.receivers import Receiver


class MongoReceiverStore:
    """The collection `receivers`."""

    def __init__(self, mongo: Mongo) -> None:
        self._receivers = mongo.database["receivers"]

    async def add(self, receiver: Receiver, sealed_secret: str) -> None:
        """Store a new one."""
        fields = receiver.model_dump(mode="json", exclude={"id"})
        await self._receivers.insert_one(
            {"_id": receiver.id, **fields, "sealed_secret": sealed_secret}
        )

    async def get(self, receiver_id: str) -> Receiver | None:
        """One receiver."""
        found = await self._receivers.find_one({"_id": receiver_id})
        return None if found is None else _receiver(found)

    async def all(self) -> Sequence[Receiver]:
        """Every receiver, newest first."""
        newest = [("created_at_ms", DESCENDING), ("_id", DESCENDING)]
        return [_receiver(found) async for found in self._receivers.find().sort(newest)]

    async def remove(self, receiver_id: str) -> bool:
        """Forget it."""
        result = await self._receivers.delete_one({"_id": receiver_id})
        return bool(result.deleted_count)

    async def rotate(
        self, receiver_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Receiver | None:
        """Give it a new secret beside the one before, in one step."""
        fields = {
            "old_sealed_secret": "$sealed_secret",
            "sealed_secret": {"$literal": sealed_secret},
            "rotated_at_ms": at_ms,
            "old_secret_until_ms": old_until_ms,
        }
        found: Document | None = await self._receivers.find_one_and_update(
            {"_id": receiver_id}, [{"$set": fields}], return_document=ReturnDocument.AFTER
        )
        return None if found is None else _receiver(found)

    async def sealed_secrets(self, receiver_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, then the one before while that holds."""
        fields = ("sealed_secret", "old_sealed_secret", "old_secret_until_ms")
        found = await self._receivers.find_one({"_id": receiver_id}, fields)
        if found is None:
            return ()
        holds = "old_sealed_secret" in found and now_ms < found.get("old_secret_until_ms", 0)
        old = (str(found["old_sealed_secret"]),) if holds else ()
        return (str(found["sealed_secret"]), *old)


def _receiver(document: Document) -> Receiver:
    return Receiver.model_validate({**document, "id": document["_id"]})
