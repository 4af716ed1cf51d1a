"""The collection `cursors`: how far each of those that work through the record has come."""

from __future__ import annotations

from shared.adapters.mongo.connection import Mongo


class MongoCursors:
    """Places by name in MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._cursors = mongo.database["cursors"]

    async def get(self, name: str) -> int:
        """The place up to which all is done."""
        found = await self._cursors.find_one({"_id": name})
        return int(found["place"]) if found is not None else 0

    async def move(self, name: str, place: int) -> None:
        """All is done up to this place; `$max` never goes back."""
        await self._cursors.update_one({"_id": name}, {"$max": {"place": place}}, upsert=True)
