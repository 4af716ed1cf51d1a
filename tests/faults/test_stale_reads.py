"""A primary that was frozen and does not know yet that another one was elected."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from ops.stack.cluster import EmbeddedCluster, MongoMember
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.executions import MongoExecutionStore
from tests.contract.store.test_execution_store import write

pytestmark = [pytest.mark.kill, pytest.mark.long, pytest.mark.timeout(240)]

PATIENCE_S = 60.0


async def _another_primary(cluster: EmbeddedCluster, old: MongoMember) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(cluster.primary) in (None, old):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_state_is_never_read_from_a_primary_of_the_past(cluster: EmbeddedCluster) -> None:
    """A read that was sent to the primary when it was frozen gives, once that one goes on, what
    has been written at its successor meanwhile."""
    before, during = Mongo(cluster.mongo_url), Mongo(cluster.mongo_url)
    store = MongoExecutionStore(before)
    await store.write([write(5, 5)])
    await store.load(["ex_1"])  # its connection to the primary stands
    old = await asyncio.to_thread(cluster.primary)
    assert old is not None
    assert old.pid is not None
    os.kill(old.pid, signal.SIGSTOP)
    try:
        reading = asyncio.create_task(store.load(["ex_1"]))
        await _another_primary(cluster, old)
        async with asyncio.timeout(PATIENCE_S):
            await MongoExecutionStore(during).write([write(7, 7)])
    finally:
        os.kill(old.pid, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE_S):
        loaded = await reading
    assert loaded.states["ex_1"].seq == 7
    await before.close()
    await during.close()


async def test_a_write_does_not_wait_for_a_frozen_primary(cluster: EmbeddedCluster) -> None:
    """What was sent to it is sent to its successor, though the old one never comes back."""
    mongo = Mongo(cluster.mongo_url)
    store = MongoExecutionStore(mongo)
    await store.write([write(5, 5, execution_id="ex_2")])
    old = await asyncio.to_thread(cluster.primary)
    assert old is not None
    assert old.pid is not None
    os.kill(old.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await store.write([write(6, 6, execution_id="ex_2")])
            assert (await store.load(["ex_2"])).states["ex_2"].seq == 6
    finally:
        os.kill(old.pid, signal.SIGCONT)
    await mongo.close()
