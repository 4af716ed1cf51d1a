"""The store of rollbacks: listed by the time of their last change, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.actors import MongoRollbackStore
from shared.adapters.mongo.connection import Mongo
from shared.contracts.actors import StoredRollback
from shared.memory.actors import MemoryRollbackStore
from shared.ports.actors import RollbackStore
from shared.rollback.machine import RollbackStatus
from shared.rollback.state import RollbackState, rollback_id


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[RollbackStore]:
    if request.param == "memory":
        yield MemoryRollbackStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    made = MongoRollbackStore(mongo)
    await made.ensure_indexes()
    yield made
    await mongo.close()


def stored(number: int, seq: int = 5, status: str = "running", at_ms: int = 0) -> StoredRollback:
    execution_id = f"ex_{number}"
    state = RollbackState(
        id=rollback_id(execution_id),
        execution_id=execution_id,
        status=RollbackStatus(status),
        keys=("b[1]", "a"),
        reason="with $ and .",
        changed_at_ms=at_ms or 1_000 + number,
    )
    return StoredRollback(partition=3, seq=seq, state=state)


async def test_one_is_read_back(store: RollbackStore) -> None:
    """Whole; a lower sequence replaces nothing, a higher one does."""
    assert await store.write([stored(1)]) == frozenset()
    assert await store.write([stored(1, seq=4, status="asked")]) == {"rb_ex_1"}
    assert await store.get("rb_ex_1") == stored(1)
    await store.write([stored(1, seq=6, status="rolled_back")])
    found = await store.get("rb_ex_1")
    assert found is not None
    assert found.state.status == "rolled_back"
    assert await store.get("rb_ex_2") is None


async def test_those_that_changed_last_come_first(store: RollbackStore) -> None:
    """Page by page, also where several changed at the same time, and only of one status."""
    await store.write([stored(n, at_ms=1_000 + n // 2) for n in range(5)])
    await store.write([stored(7, status="rolled_back")])
    found = [one.state.execution_id for one in await store.newest(None, None, 10)]
    assert found == ["ex_7", "ex_4", "ex_3", "ex_2", "ex_1", "ex_0"]
    page = await store.newest(None, None, 3)
    last = page[-1].state
    rest = await store.newest(None, (last.changed_at_ms, last.id), 3)
    assert [one.state.execution_id for one in (*page, *rest)] == found
    done = await store.newest("rolled_back", None, 10)
    assert [one.state.execution_id for one in done] == ["ex_7"]


async def test_what_waits_for_a_rollback_service_is_known(store: RollbackStore) -> None:
    """Since when the one waits that waits longest; what goes on or is over does not count."""
    assert await store.waiting_since() is None
    await store.write([stored(1, at_ms=10), stored(2, status="rolled_back", at_ms=20)])
    assert await store.waiting_since() is None
    await store.write([stored(3, status="accounting", at_ms=40)])
    await store.write([stored(4, status="planning", at_ms=30), stored(5, status="asked", at_ms=5)])
    assert await store.waiting_since() == 30
    await store.write([stored(4, seq=6, status="rolled_back", at_ms=50)])
    assert await store.waiting_since() == 40
