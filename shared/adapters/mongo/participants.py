"""The collection `participants`: people and AI agents that take delegated tasks, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING

from shared.adapters.mongo.connection import Mongo
from shared.contracts.collective import Participant


class MongoParticipants:
    """Participants in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._participants = mongo.database["participants"]

    async def save(self, participant: Participant) -> None:
        """Register, or replace what was known. Labels are pairs: their names may hold dots."""
        fields = participant.model_dump(mode="json", exclude={"name"})
        fields["labels"] = [list(pair) for pair in participant.labels.items()]
        await self._participants.replace_one({"_id": participant.name}, fields, upsert=True)

    async def seen(self, name: str, at_ms: int) -> None:
        """It was heard of."""
        await self._participants.update_one({"_id": name}, {"$max": {"last_seen_ms": at_ms}})

    async def get(self, name: str) -> Participant | None:
        """One participant."""
        document = await self._participants.find_one({"_id": name})
        return None if document is None else _participant(document)

    async def all(self) -> Sequence[Participant]:
        """All, by name."""
        cursor = self._participants.find({}).sort("_id", ASCENDING)
        return [_participant(d) async for d in cursor]

    async def remove(self, name: str) -> bool:
        """Forget it."""
        result = await self._participants.delete_one({"_id": name})
        return bool(result.deleted_count)


def _participant(document: Mapping[str, Any]) -> Participant:
    fields = {name: document[name] for name in Participant.model_fields if name in document}
    labels = dict(document.get("labels", []))
    return Participant.model_validate({**fields, "name": document["_id"], "labels": labels})
