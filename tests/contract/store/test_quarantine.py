"""The quarantine: what coordinators put there is found, and resolved once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from shared.adapters.mongo.backlog import MongoBacklog
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.adapters.mongo.quarantine import MongoQuarantine
from shared.contracts.history import Quarantined
from shared.contracts.quarantine import Resolution
from shared.memory.backlog import MemoryBacklog
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.quarantine import MemoryQuarantine
from shared.ports.backlog import Backlog
from shared.ports.quarantine import Quarantine, QuarantineQuery
from shared.ports.store import ExecutionStore
from shared.workflow.messages import Actor


@dataclass(frozen=True)
class Rig:
    """A store that fills the quarantine, and two ways to look into it."""

    store: ExecutionStore
    quarantine: Quarantine
    backlog: Backlog

    async def put(self, execution_id: str, seq: int, at_ms: int) -> str:
        message = Quarantined(
            execution_id=execution_id,
            partition=3,
            seq=seq,
            at_ms=at_ms,
            reason="no sense",
            payload='{"x": "\x00\ufffd"}',
        )
        await self.store.quarantine(message)
        return f"{execution_id}:{seq}"

    async def ids(self, query: QuarantineQuery) -> list[str]:
        return [entry.id for entry in await self.quarantine.find(query)]


@pytest.fixture(params=["memory", "mongo"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = MemoryExecutionStore()
        yield Rig(memory, MemoryQuarantine(memory), MemoryBacklog(memory))
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    quarantine = MongoQuarantine(mongo)
    await quarantine.ensure_indexes()
    yield Rig(MongoExecutionStore(mongo), quarantine, MongoBacklog(mongo))
    await mongo.close()


def resolution(at_ms: int = 50) -> Resolution:
    return Resolution(outcome="discarded", by=Actor(id="ann"), at_ms=at_ms, reason="old")


async def test_what_was_put_aside_is_found(rig: Rig) -> None:
    """Newest first, by pages, of all executions or of one, with everything that is known."""
    for seq, at_ms in ((1, 10), (2, 30), (3, 20), (4, 20)):
        await rig.put("ex_1", seq, at_ms)
    other = await rig.put("ex_2", 9, 25)
    all_of_them = ["ex_1:2", other, "ex_1:4", "ex_1:3", "ex_1:1"]
    assert await rig.ids(QuarantineQuery()) == all_of_them
    assert await rig.ids(QuarantineQuery(limit=2)) == all_of_them[:2]
    assert await rig.ids(QuarantineQuery(before=(20, "ex_1:4"))) == all_of_them[3:]
    assert await rig.ids(QuarantineQuery(execution_id="ex_2")) == [other]
    found = await rig.quarantine.get(other)
    assert found is not None
    assert (found.execution_id, found.seq, found.at_ms, found.partition) == ("ex_2", 9, 25, 3)
    assert (found.reason, found.payload) == ("no sense", '{"x": "\x00\ufffd"}')
    assert await rig.quarantine.get("ex_9:1") is None


async def test_each_is_resolved_once(rig: Rig) -> None:
    """Of several who resolve one, one does; it waits no more, is not counted, and stays to be
    looked at. Delivered again it stays resolved."""
    entry_id = await rig.put("ex_1", 1, 10)
    waiting = await rig.put("ex_1", 2, 20)
    tries = (rig.quarantine.resolve(entry_id, resolution()) for _ in range(4))
    assert sorted(await asyncio.gather(*tries)) == [False, False, False, True]
    await rig.put("ex_1", 1, 10)
    assert await rig.ids(QuarantineQuery()) == [waiting]
    assert await rig.ids(QuarantineQuery(resolved=True)) == [entry_id]
    found = await rig.quarantine.get(entry_id)
    assert found is not None
    assert found.resolution == resolution()
    assert await rig.backlog.quarantined() == 1
    assert not await rig.quarantine.resolve("ex_9:1", resolution())


async def test_what_is_resolved_is_forgotten_in_time(rig: Rig) -> None:
    """Only what was resolved before the time goes, at most so many; what waits stays for ever."""
    ids = [await rig.put("ex_1", seq, 10) for seq in range(4)]
    for entry_id, at_ms in zip(ids[:3], (50, 60, 70), strict=True):
        await rig.quarantine.resolve(entry_id, resolution(at_ms))
    assert await rig.quarantine.forget(70, 1) == 1
    assert await rig.quarantine.forget(70, 10) == 1
    assert await rig.quarantine.forget(70, 10) == 0
    assert await rig.ids(QuarantineQuery(resolved=True)) == ids[2:3]
    assert await rig.ids(QuarantineQuery()) == ids[3:]
