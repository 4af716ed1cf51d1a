"""Archiving on real servers while coordinators that do it are killed: nothing is lost or doubled,
and the journal is small in the end."""

from __future__ import annotations

import asyncio

import pytest

from services.gateway.read_through import ReadThrough
from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.archiving import MongoArchiving
from shared.contracts import subjects
from shared.workflow.replay import fold
from tests.integration.executor.world import World, noop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long, pytest.mark.timeout(300)]

EXECUTIONS = 300
KILLS = 6
SMALL = 50
"""Messages that a journal may hold when nothing runs."""
SOON = {
    "retention_keep_days": 1e-6,
    "retention_settle_s": 1,
    "retention_every_s": 0.1,
}


async def test_nothing_is_lost_between_live_and_archive(world: World) -> None:
    """Two coordinators keep house in turns and are killed in turns while hundreds of executions
    end: each of them is archived whole, once, and nothing of it is left live."""
    await world.executor("hands", role="runner")
    keepers = [await world.executor(f"keeper{n}", role="coordinator", **SOON) for n in range(2)]
    template = await world.template("three", [noop("a"), noop("b", "x", depends_on=["a"])])
    executions = [await world.request(template) for _ in range(EXECUTIONS)]
    archive, archiving = MongoArchive(world.mongo), MongoArchiving(world.mongo)

    async def archived() -> bool:
        return await archiving.count() >= 1

    await world.until(archived, "archiving has begun")
    for n in range(KILLS):
        await asyncio.sleep(0.7)
        await keepers[n % 2].kill()
        await keepers[n % 2].start()
        executions += [await world.request(template) for _ in range(EXECUTIONS // KILLS)]

    async def everything() -> bool:
        done = [await archive.archived_at_ms(one) for one in executions]
        live = await world.mongo.database["executions"].count_documents({})
        return all(done) and live == 0 and not await archiving.unfinished(1)

    await world.until(everything, "every execution is archived")
    reads = ReadThrough(world.queries, archive)
    for execution in executions:
        state = await reads.get(execution)
        history = await reads.history(execution, limit=10_000)
        assert state is not None
        assert (state.status, fold(execution, history)) == ("completed", state)
        assert [len(step.attempts) for step in state.steps.values()] == [1, 1]
    assert await world.mongo.database["history"].count_documents({}) == 0

    async def small() -> bool:
        info = await world.bus.jetstream.stream_info(subjects.journal_stream(0))
        return info.state.messages < SMALL

    await world.until(small, "the journal is small")
