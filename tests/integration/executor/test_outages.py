"""Servers that go away and come back while nothing happens, or while much does."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.executor.world import World, noop, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

AWAY_S = 10.0
EXECUTIONS = 60


async def test_nats_restarts_under_an_idle_executor(world: World) -> None:
    """After kill -9 and a restart of nats-server an idle executor takes work again, and sees agents
    that join."""
    await world.executor("one")
    assert (await world.run("before", [noop("a")])).status == "completed"
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.sleep(2)
    await asyncio.to_thread(world.servers.nats.restart)
    assert (await world.run("after", [shell("a", "true")])).status == "completed"
    await world.executor("late", role="runner", agent_labels="when=late")
    step = noop("a", target={"labels": {"when": "late"}})
    assert (await world.run("late", [step])).steps["a"].agent == "late"


async def test_mongodb_is_away_under_load(world: World) -> None:
    """While the database is away executions wait, also new ones of templates that were never used;
    when it is back every one of them ends, once."""
    if "one" not in world.executors:
        await world.executor("one")
    book = world.home / "away-book"
    line = 'echo "$ME" >> "$BOOK"; sleep 0.2'
    env = {"ME": "${{ execution.id }}", "BOOK": str(book)}
    step = shell("a", "", parameters={"script": line, "env": env})
    template = await world.template("away", [step, noop("b", depends_on=["a"])])
    unused = await world.template("unused", [step])
    executions = [await world.request(template) for _ in range(EXECUTIONS // 2)]
    await asyncio.to_thread(world.servers.mongo.kill)
    executions += [await world.request(template) for _ in range(EXECUTIONS // 2)]
    executions.append(await world.request(unused))
    await world.publish_raw(executions[0], b"poison during the outage")
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(world.servers.mongo.restart)
    for state in await world.all_ended(executions):
        assert state.status == "completed"
        assert [a.outcome for a in state.steps["a"].attempts] == ["completed"]
    assert sorted(book.read_text(encoding="utf-8").split()) == sorted(executions)

    async def put_aside() -> bool:
        """Quarantined messages are stored behind the states of the same flush."""
        kept = world.mongo.database["quarantine"].find({"execution_id": executions[0]})
        return [document["payload"] async for document in kept] == ["poison during the outage"]

    await world.until(put_aside, "the poison is in quarantine")
