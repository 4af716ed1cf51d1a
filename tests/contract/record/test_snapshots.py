"""Snapshots of models: in memory and in MongoDB, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.snapshots import PIECE_BYTES, MongoSnapshots
from shared.memory.snapshots import MemorySnapshots
from shared.ports.snapshots import Snapshot, SnapshotStore


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SnapshotStore]:
    if request.param == "memory":
        yield MemorySnapshots()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    made = MongoSnapshots(mongo)
    await made.ensure_indexes()
    yield made
    await mongo.close()


@pytest.fixture
def model() -> str:
    """A model of the test's own."""
    return f"m-{secrets.token_hex(4)}"


def described(model: str, data: bytes, place: int = 7, at_ms: int = 1_000) -> Snapshot:
    return Snapshot(
        id=f"{model}.{place}.{at_ms}",
        model=model,
        version=2,
        place=place,
        forgotten=place + 3,
        items=5,
        at_ms=at_ms,
        size=len(data),
        digest=sha256(data).hexdigest(),
    )


@pytest.mark.parametrize("size", [0, 10, PIECE_BYTES, PIECE_BYTES + 1])
async def test_what_is_put_is_found_and_read(store: SnapshotStore, model: str, size: int) -> None:
    """A snapshot of any size comes back to the byte, with what was said of it."""
    data = secrets.token_bytes(size)
    one = described(model, data)
    await store.put(one, data)
    await store.put(one, data)
    assert await store.find(model) == [one]
    assert await store.data(one) == data
    await store.delete([one.id])


async def test_the_highest_place_comes_first(store: SnapshotStore, model: str) -> None:
    """Of one place the newest does; other models are not among them."""
    made = [described(model, b"x", place, at) for place, at in ((5, 9), (12, 1), (12, 2))]
    other = described(model + "-other", b"x")
    for one in (*made, other):
        await store.put(one, b"x")
    assert await store.find(model) == [made[2], made[1], made[0]]
    assert {other, *made} <= set(await store.find())


async def test_what_is_damaged_is_not_given(store: SnapshotStore, model: str) -> None:
    """Bytes that are not those that were put are none."""
    one = described(model, b"right")
    await store.put(one, b"wrong")
    assert await store.data(one) is None
    gone = replace(one, id=f"{model}-gone")
    assert await store.data(gone) is None


async def test_what_is_deleted_is_gone(store: SnapshotStore, model: str) -> None:
    """Only what is named goes."""
    one, other = described(model, b"1", 1), described(model, b"2", 2)
    await store.put(one, b"1")
    await store.put(other, b"2")
    await store.delete([one.id, "never was"])
    assert await store.find(model) == [other]
    assert await store.data(one) is None


async def test_what_a_crash_left_is_swept(mongo_url: str, model: str) -> None:
    """Pieces without a snapshot go once they are old; those of a snapshot stay."""
    mongo = Mongo(mongo_url, journaled=False)
    store = MongoSnapshots(mongo)
    kept, left = described(model, b"1", 1), described(model, b"2", 2)
    for one, data in ((kept, b"1"), (left, b"2")):
        await store.put(one, data)
    await mongo.database["snapshots"].delete_one({"_id": left.id})
    assert await store.sweep(before_ms=left.at_ms) == 0
    assert await store.sweep(before_ms=left.at_ms + 1) >= 1
    assert await store.data(left) is None
    assert await store.data(kept) == b"1"
    await mongo.close()
