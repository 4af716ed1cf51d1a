"""The store of receivers: each with its secret, and the one before while that holds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.receivers import MongoReceiverStore
from shared.contracts.receivers import Receiver
from shared.memory.receivers import MemoryReceiverStore
from shared.ports.receivers import ReceiverStore


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ReceiverStore]:
    if request.param == "memory":
        yield MemoryReceiverStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    yield MongoReceiverStore(mongo)
    await mongo.close()


def receiver(number: int) -> Receiver:
    return Receiver(
        id=f"rc_{number}", name="r", kind="webhook", created_at_ms=number, created_by="ann"
    )


async def test_receivers_come_and_go(store: ReceiverStore) -> None:
    """Stored, listed with the newest first, removed once."""
    for number in (1, 2):
        await store.add(receiver(number), f"sealed-{number}")
    assert await store.all() == [receiver(2), receiver(1)]
    assert await store.get("rc_1") == receiver(1)
    assert await store.remove("rc_1")
    assert not await store.remove("rc_1")
    assert await store.get("rc_1") is None
    assert await store.sealed_secrets("rc_1", 0) == ()


async def test_a_secret_that_was_changed_holds_for_a_while(store: ReceiverStore) -> None:
    """Both until the overlap ends, then the new one alone."""
    await store.add(receiver(1), "old")
    assert list(await store.sealed_secrets("rc_1", 5)) == ["old"]
    rotated = await store.rotate("rc_1", "$new", 10, 20)
    assert rotated is not None
    assert (rotated.rotated_at_ms, rotated.old_secret_until_ms) == (10, 20)
    assert list(await store.sealed_secrets("rc_1", 19)) == ["$new", "old"]
    assert list(await store.sealed_secrets("rc_1", 20)) == ["$new"]
    assert await store.rotate("rc_9", "x", 1, 2) is None
