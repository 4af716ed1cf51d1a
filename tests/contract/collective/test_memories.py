"""What every memory of the hive does."""

import time
from typing import Any

from services.executor.desk import Collective
from shared.contracts.collective import Memory, MemoryQuery, Origin

# Near the present: MongoDB removes what has long expired by its own clock.
NOW = time.time_ns() // 1_000_000
DAY = 86_400_000


def memory(memory_id: str, content: str, **fields: Any) -> Memory:
    return Memory(id=memory_id, content=content, **{"created_at_ms": NOW, **fields})


async def recall(collective: Collective, **fields: Any) -> list[str]:
    found = await collective.memories.recall(MemoryQuery(**fields), NOW)
    return [recalled.memory.id for recalled in found]


class TestMemories:
    async def test_keeps_what_it_is_given(self, collective: Collective) -> None:
        """A memory comes back as it was given, with origin, tags and expiry."""
        given = memory(
            "m1",
            'Ünicode, "quotes" and -minus',
            tags=("a", "b"),
            category="incident",
            expires_at_ms=NOW + DAY,
            author="web-1",
            origin=Origin(execution_id="ex_1", step="document", attempt=2),
        )
        assert await collective.memories.remember(given)
        assert await collective.memories.get("m1") == given
        assert await collective.memories.get("m2") is None

    async def test_remembers_once(self, collective: Collective) -> None:
        """The same id again changes nothing and says so."""
        await collective.memories.remember(memory("m1", "first"))
        assert not await collective.memories.remember(memory("m1", "second"))
        kept = await collective.memories.get("m1")
        assert kept is not None
        assert kept.content == "first"

    async def test_finds_by_words_in_other_forms(self, collective: Collective) -> None:
        """Text finds words in another form; stop words and signs find nothing."""
        await collective.memories.remember(memory("disk", "The disks of the database were full"))
        await collective.memories.remember(memory("dns", "Name resolution failed"))
        assert await recall(collective, text="disk filling the database") == ["disk"]
        assert await recall(collective, text="the of were") == []
        assert await recall(collective, text="-disk") == ["disk"]
        assert await recall(collective, text="!!!") == []

    async def test_more_relevant_comes_first(self, collective: Collective) -> None:
        """What holds more of the words ranks higher, with its parts to see why."""
        await collective.memories.remember(memory("one", "postgres vacuum"))
        await collective.memories.remember(memory("both", "postgres replication lag"))
        query = MemoryQuery(text="postgres replication")
        found = await collective.memories.recall(query, NOW)
        assert [r.memory.id for r in found] == ["both", "one"]
        assert 0 < found[1].score < found[0].score <= 1
        parts = found[0].parts
        assert parts.relevance is not None
        assert parts.tags is None
        assert parts.importance == 0.5

    async def test_tags_find_and_rank(self, collective: Collective) -> None:
        """A wanted tag finds a memory whatever its text; more of them rank it higher."""
        await collective.memories.remember(memory("one", "alpha", tags=("web",)))
        await collective.memories.remember(memory("two", "beta", tags=("web", "tls")))
        await collective.memories.remember(memory("none", "gamma", tags=("db",)))
        assert await recall(collective, tags=("web", "tls")) == ["two", "one"]
        assert await recall(collective, text="gamma", tags=("web",)) == ["none", "one", "two"]

    async def test_newer_and_more_important_first(self, collective: Collective) -> None:
        """Between equals, the newer one and the more important one come first."""
        await collective.memories.remember(memory("old", "x", created_at_ms=NOW - 60 * DAY))
        await collective.memories.remember(memory("new", "x", created_at_ms=NOW - DAY))
        await collective.memories.remember(
            memory("major", "x", created_at_ms=NOW - DAY, importance=1.0)
        )
        assert await recall(collective) == ["major", "new", "old"]

    async def test_category_and_importance_narrow(self, collective: Collective) -> None:
        """What is of another category or less important is not found."""
        await collective.memories.remember(memory("a", "disk", category="incident"))
        await collective.memories.remember(memory("b", "disk", category="note", importance=0.9))
        assert await recall(collective, text="disk", category="incident") == ["a"]
        assert await recall(collective, text="disk", min_importance=0.8) == ["b"]

    async def test_expired_is_not_recalled(self, collective: Collective) -> None:
        """From its expiry on a memory is not found."""
        await collective.memories.remember(memory("kept", "disk", expires_at_ms=NOW + 600_000))
        query = MemoryQuery(text="disk")
        assert await collective.memories.recall(query, NOW + 599_999)
        assert not await collective.memories.recall(query, NOW + 600_000)

    async def test_gives_no_more_than_asked(self, collective: Collective) -> None:
        """The limit holds."""
        for number in range(5):
            await collective.memories.remember(memory(f"m{number}", "disk"))
        assert len(await recall(collective, text="disk", limit=3)) == 3

    async def test_forgets(self, collective: Collective) -> None:
        """What was forgotten is gone; forgetting it again says that it was not there."""
        await collective.memories.remember(memory("m1", "disk"))
        assert await collective.memories.forget("m1")
        assert not await collective.memories.forget("m1")
        assert await recall(collective, text="disk") == []
