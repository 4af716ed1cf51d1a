"""The store of concurrency keys: one that nobody uses is not seen, and can be used again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.actors import MongoKeyStateStore
from shared.adapters.mongo.connection import Mongo
from shared.contracts.actors import StoredKey
from shared.memory.actors import MemoryKeyStateStore
from shared.ports.actors import KeyStateStore
from shared.workflow.concurrency_key import Holder, KeyState, Waiter

HOLDER = Holder(execution_id="ex_1", slot="*", since_ms=5)
WAITER = Waiter(execution_id="ex_2", slot="a[0]", since_ms=6, limit=1)


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyStateStore]:
    if request.param == "memory":
        yield MemoryKeyStateStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    made = MongoKeyStateStore(mongo)
    await made.ensure_indexes()
    yield made
    await mongo.close()


def stored(seq: int, *, used: bool = True) -> StoredKey:
    state = KeyState(
        id="ck_1",
        key="deploy $x.\x00",
        holders=(HOLDER,) if used else (),
        waiting=(WAITER,) if used else (),
        changed_at_ms=1_900_000_000_000,
    )
    return StoredKey(partition=3, seq=seq, state=state)


async def test_a_key_is_read_back(store: KeyStateStore) -> None:
    """Whole, by id and in the list; a lower sequence replaces nothing."""
    assert await store.write([stored(5)]) == frozenset()
    assert await store.write([stored(4, used=False)]) == {"ck_1"}
    assert await store.get("ck_1") == stored(5)
    assert await store.all("key") == [stored(5)]
    assert (await store.load(["ck_1", "ck_2"])).states == {"ck_1": stored(5)}


async def test_a_key_that_nobody_uses_is_not_seen(store: KeyStateStore) -> None:
    """Its owner still finds it, with its sequence; used again it is there."""
    await store.write([stored(5)])
    await store.write([stored(6, used=False)])
    assert await store.get("ck_1") is None
    assert await store.all("key") == []
    assert (await store.load(["ck_1"])).states == {"ck_1": stored(6, used=False)}
    await store.write([stored(7)])
    assert await store.get("ck_1") == stored(7)


async def test_a_key_in_use_does_not_expire(mongo_url: str) -> None:
    """The time at which the database removes it is gone when it is used again."""
    mongo = Mongo(mongo_url)
    store = MongoKeyStateStore(mongo)
    await store.write([stored(6, used=False)])
    document = await mongo.database["concurrency_keys"].find_one({"_id": "ck_1"})
    assert document is not None
    assert "deleted_at" in document
    await store.write([stored(7)])
    document = await mongo.database["concurrency_keys"].find_one({"_id": "ck_1"})
    assert document is not None
    assert "deleted_at" not in document
    await mongo.close()
