"""The collection `recording`: what each user who chose wants; the user is the id."""

from __future__ import annotations

from shared.adapters.mongo.connection import Mongo
from shared.ports.recording import RecordingChoice


class MongoRecordingChoices:
    """Who wants to be recorded, in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._chosen = mongo.database["recording"]

    async def of(self, user: str) -> RecordingChoice | None:
        """What a user chose, if anything."""
        found = await self._chosen.find_one({"_id": user})
        if found is None:
            return None
        return RecordingChoice(user, bool(found["on"]), int(found["at_ms"]), str(found["by"]))

    async def choose(self, choice: RecordingChoice) -> None:
        """Keep what a user wants."""
        fields = {"on": choice.on, "at_ms": choice.at_ms, "by": choice.by}
        await self._chosen.replace_one({"_id": choice.user}, fields, upsert=True)

    async def off(self) -> frozenset[str]:
        """All who have opted out."""
        return frozenset([str(found["_id"]) async for found in self._chosen.find({"on": False})])
