"""The connection to MongoDB. Calls are made in terms that Motor and PyMongo's async API share.

The law of a replica set: what was written, or read, outlives any primary. Writes are acknowledged
by a majority, reads give only what a majority holds.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorDatabase,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]

ANSWER_MS: Final = 15_000
"""How long an answer may take. A frozen primary keeps its connections and says nothing; longer than
the others need to elect another, to which the driver then turns by itself."""
FENCES: Final = 64
"""Documents that are written before reads that must be current: several, so that coordinators do
not wait for each other."""


class Mongo:
    """A client and the system's database."""

    def __init__(self, url: str, *, database: str | None = None, journaled: bool = True) -> None:
        """`url` names the database; `journaled` waits for the journal on disk at each write."""
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=10_000,
            connectTimeoutMS=5_000,
            socketTimeoutMS=ANSWER_MS,
            retryWrites=True,
            maxPoolSize=20,
        )
        concern = WriteConcern(w="majority", j=journaled)
        default = self._client.get_default_database("hive")
        name = database or default.name
        self.database: Database = self._client.get_database(
            name, write_concern=concern, read_concern=ReadConcern("majority")
        )

    @asynccontextmanager
    async def current(self) -> AsyncIterator[AsyncIOMotorClientSession]:
        """A session whose reads show all that a majority had taken when it was opened.

        A primary that was frozen or cut off still answers reads for a moment, from what it knew.
        So something is written first, which only the present primary can, and the reads of the
        session wait for that write.
        """
        async with await self._client.start_session(causal_consistency=True) as session:
            await self.database["fences"].update_one(
                {"_id": random.randrange(FENCES)},  # noqa: S311 - spreads load, guards nothing
                {"$inc": {"passed": 1}},
                upsert=True,
                session=session,
            )
            yield session

    async def ping(self) -> None:
        """Raises when the server does not answer."""
        await self._client.admin.command("ping")

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()
