"""What a score is made of, and who is asked first."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.collective.choosing import fitting
from shared.collective.scoring import rank
from shared.contracts.collective import Memory, MemoryQuery, Participant

DAY = 86_400_000
NOW = 100 * DAY


def memory(memory_id: str = "m", **fields: Any) -> Memory:
    return Memory(id=memory_id, content="x", **{"created_at_ms": NOW, **fields})


def test_parts_and_weights() -> None:
    """Each part is as documented, and the score their weighted mean."""
    old = memory(created_at_ms=NOW - 30 * DAY, importance=1.0, tags=("a",))
    (found,) = rank([(old, 1.0)], MemoryQuery(text="x", tags=("a", "b")), NOW)
    parts = found.parts
    assert (parts.relevance, parts.tags, parts.recency, parts.importance) == (0.5, 0.5, 0.5, 1.0)
    assert found.score == 0.6 * 0.5 + 0.2 * 0.5 + 0.1 * 0.5 + 0.1


def test_what_is_not_asked_has_no_weight() -> None:
    """Without text and tags a new and vital memory reaches 1."""
    (found,) = rank([(memory(importance=1.0), 0.0)], MemoryQuery(), NOW)
    assert (found.score, found.parts.relevance, found.parts.tags) == (1.0, None, None)


@given(
    text_score=st.floats(0, 1e6),
    age_days=st.integers(-10, 10_000),
    importance=st.floats(0, 1),
    tags=st.lists(st.sampled_from("abc"), unique=True),
)
def test_scores_are_shares(
    text_score: float, age_days: int, importance: float, tags: list[str]
) -> None:
    """Whatever the memory, its score is between 0 and 1."""
    given_memory = memory(created_at_ms=NOW - age_days * DAY, importance=importance, tags=tags)
    query = MemoryQuery(text="x", tags=("a", "b"))
    (found,) = rank([(given_memory, text_score)], query, NOW)
    assert 0 <= found.score <= 1


def participant(name: str, **fields: Any) -> Participant:
    return Participant(name=name, kind="ai", **fields)


def test_the_least_loaded_of_those_that_fit() -> None:
    """Only available ones with every capability, fewest open tasks first, then last seen, then
    name."""
    everybody = [
        participant("busy", capabilities=("db", "linux")),
        participant("idle", capabilities=("db", "linux")),
        participant("awake", capabilities=("db",), last_seen_ms=5),
        participant("unable", capabilities=("linux",)),
        participant("away", capabilities=("db",), available=False),
        participant("asked", capabilities=("db",)),
    ]
    able = fitting(everybody, {"busy": 2, "away": 0}, ["db"], exclude=["asked"])
    assert [p.name for p in able] == ["awake", "idle", "busy"]
