"""Executions become a part of the record: as they end, or later by a backfill, once each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared.adapters.mongo.recording import MongoRecordingChoices
from shared.contracts import subjects
from shared.learning.records import AnyRecord, Forget, RunRecord
from shared.ports.recording import RecordingChoice
from tests.integration.learning.world import NOW_MS, PATIENCE_S, LearningWorld

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATE = {
    "id": "greeting",
    "name": "Greeting",
    "parameters": {
        "who": {"type": "string"},
        "password": {"type": "string", "default": "hunter2"},
    },
    "steps": [
        {
            "id": "greet",
            "command": "shell",
            "parameters": {"argv": ["echo", "${{ params.who }}", "${{ params.password }}"]},
        },
        {
            "id": "fail",
            "command": "shell",
            "depends_on": ["greet"],
            "parameters": {"script": "exit 3"},
        },
    ],
}


async def run(world: LearningWorld, who: str) -> str:
    """An execution that has ended; its id."""
    client = world.world.client
    answer = await client.post("/api/v1/workflows/templates", json=TEMPLATE)
    assert answer.status_code in (200, 201), answer.text
    body = {"template_id": "greeting", "parameters": {"who": who}}
    answer = await client.post("/api/v1/workflows/execute?wait=20", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["execution"]["status"] == "failed"
    found: str = answer.json()["execution_id"]
    return found


async def items(world: LearningWorld, execution: str) -> list[AnyRecord]:
    """What is kept of an execution."""
    kept = [placed.item async for placed in world.store.read()]
    return [one for one in kept if one.id == execution or one.id.startswith(f"{execution}.")]


async def kept(
    world: LearningWorld, execution: str, enough: Callable[[list[AnyRecord]], Any]
) -> list[AnyRecord]:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    while not enough(found := await items(world, execution)):
        assert loop.time() < until_s, found
        await asyncio.sleep(0.1)
    return found


def has_run(found: list[AnyRecord]) -> bool:
    return any(isinstance(one, RunRecord) for one in found)


async def test_an_execution_that_ends_is_recorded(world: LearningWorld) -> None:
    """Its run and its steps' commands are kept, without what is secret; and once, though the end is
    read again after a kill."""
    execution = await run(world, "ann")
    found = await kept(world, execution, has_run)
    assert [one.type for one in found] == ["command", "command", "run"]
    assert "hunter2" not in "".join(one.model_dump_json() for one in found)
    greet, fail, ended = found
    assert greet.type == "command"
    assert greet.command == "echo ann '${{ params.password }}'"
    assert fail.type == "command"
    assert (fail.command, fail.exit, fail.user) == ("exit 3", 3, "admin")
    assert ended.type == "run"
    assert (ended.status, ended.failed_step, ended.parameters) == ("failed", "fail", {"who": "ann"})
    await world.kill()
    await world.bus.jetstream.delete_consumer(subjects.EVENTS, "learning")
    await world.start()
    await world.until_read()
    assert await items(world, execution) == found


async def test_a_backfill_adds_what_was_missed(world: LearningWorld) -> None:
    """Executions whose end nobody heard are added, once; what was to be forgotten is not."""
    await world.kill()
    execution = await run(world, "bob")
    await world.bus.jetstream.purge_stream(subjects.EVENTS)
    await world.add(
        Forget(id="f1", at_ms=2 * NOW_MS, by="admin", command="echo bob '${{ params.password }}'")
    )
    await world.start()
    answer = await world.world.client.post("/api/v1/learning/backfill", json={})
    assert answer.status_code == 202, answer.text
    found = await kept(world, execution, has_run)
    done = await world.backfilled()
    assert [one.id for one in found] == [f"{execution}.fail", execution]
    assert (done.runs, done.failed) == (1, 0)
    await world.world.client.post("/api/v1/learning/backfill", json={})
    assert (await world.backfilled()).items == 0
    assert await items(world, execution) == found


async def test_nobody_is_recorded_against_their_will(world: LearningWorld) -> None:
    """Of a user who has opted out, runs are kept and no commands are."""
    choices = MongoRecordingChoices(world.mongo)
    await choices.choose(RecordingChoice("admin", on=False, at_ms=1, by="admin"))
    execution = await run(world, "eve")
    found = await kept(world, execution, has_run)
    await choices.choose(RecordingChoice("admin", on=True, at_ms=2, by="admin"))
    assert [one.type for one in found] == ["run"]


async def test_a_damaged_item_stops_nothing(world: LearningWorld) -> None:
    """What cannot be read on the bus or in the store is passed by."""
    await world.bus.jetstream.publish(subjects.record("command", "x"), b"{broken")
    execution = await run(world, "late")
    found = await kept(world, execution, has_run)
    await world.mongo.database["record"].update_one(
        {"_id": f"command.{execution}.greet"}, {"$set": {"item": "{broken"}}
    )
    await world.world.client.post("/api/v1/learning/rebuild", json={})
    await world.rebuilt_by_now()
    assert len(found) == 3
    assert len(await items(world, execution)) == 2
    assert await world.saved() == await world.rebuilt()
