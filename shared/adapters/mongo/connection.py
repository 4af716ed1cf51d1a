"""The connection to MongoDB. Calls are made in terms that Motor and PyMongo's async API share."""

from __future__ import annotations

from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]


class Mongo:
    """A client and the system's database. Writes are acknowledged by a majority."""

    def __init__(self, url: str, *, database: str | None = None, journaled: bool = True) -> None:
        """`url` names the database; `journaled` waits for the journal on disk at each write."""
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=10_000,
            connectTimeoutMS=5_000,
            retryWrites=True,
            maxPoolSize=20,
        )
        concern = WriteConcern(w="majority", j=journaled)
        default = self._client.get_default_database("hive")
        name = database or default.name
        self.database: Database = self._client.get_database(name, write_concern=concern)

    async def ping(self) -> None:
        """Raises when the server does not answer."""
        await self._client.admin.command("ping")

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()
