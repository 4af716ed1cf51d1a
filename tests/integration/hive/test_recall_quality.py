"""Recall over some thousand memories: the best are found, not just some that fit."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.memories import MongoMemories
from shared.contracts.collective import Memory, MemoryQuery
from shared.memory.memories import MemoryMemories
from shared.ports.collective import Memories

NOW_MS = 4_000_000_000_000
DAY_MS = 86_400_000
MANY = 4_000
WORDS = ("disk", "full", "postgres", "replica", "lag", "certificate", "expired", "deploy", "cache")
TAGS = ("db-1", "db-2", "web-1", "storage", "network")

QUERIES = (
    MemoryQuery(text="disk full"),
    MemoryQuery(text="disk full", tags=("storage", "db-1")),
    MemoryQuery(text="certificate", tags=("rare",)),
    MemoryQuery(text="postgres replica lag", category="incident", min_importance=0.5),
    MemoryQuery(tags=("network", "web-1"), limit=25),
    MemoryQuery(category="operations", limit=50),
    MemoryQuery(limit=50),
)


def memories() -> list[Memory]:
    """The same ones each time; many alike, of all ages, and a few that are rare."""
    random = Random(7)
    made = [_memory(number, random) for number in range(MANY)]
    rare = made[17].model_copy(
        update={"tags": ("rare",), "content": "certificate " * 3 + "x " * 60}
    )
    return [*made[:17], rare, *made[18:]]


def stored_form(memory: Memory) -> dict[str, Any]:
    return {"_id": memory.id, **memory.model_dump(mode="json", exclude={"id"})}


def _memory(number: int, random: Random) -> Memory:
    words = random.choices(WORDS, k=random.randint(2, 12))
    return Memory(
        id=f"mem_{number:05d}",
        content=" ".join(words),
        category=random.choice(("incident", "operations")),
        tags=tuple(sorted(set(random.choices(TAGS, k=2)))),
        importance=random.randint(0, 10) / 10,
        created_at_ms=NOW_MS - random.randint(0, 400) * DAY_MS,
    )


@pytest.fixture
async def stored(mongo_url: str) -> AsyncIterator[MongoMemories]:
    mongo = Mongo(mongo_url, journaled=False)
    kept = MongoMemories(mongo)
    await kept.ensure_indexes()
    # One by one, as `remember` writes them, they would take a minute.
    await mongo.database["memories"].insert_many([stored_form(m) for m in memories()])
    yield kept
    await mongo.close()


async def found(kept: Memories, query: MemoryQuery) -> list[tuple[str, float]]:
    return [(r.memory.id, r.score) for r in await kept.recall(query, NOW_MS)]


async def test_best_of_thousands(stored: MongoMemories) -> None:
    """Whatever is asked, MongoDB gives the same memories in the same order as scoring them all."""
    exact = MemoryMemories()
    for memory in memories():
        await exact.remember(memory)
    for query in QUERIES:
        assert await found(stored, query) == await found(exact, query), query
