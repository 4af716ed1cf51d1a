"""Archived executions through REST and `hv`: read as ever, found by what is searched, exported."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.executor.coordinator.housekeeping import DAY_MS
from shared.adapters.mongo.archiving import MongoArchiving
from shared.contracts import subjects
from shared.workflow.replay import HistoryEntry, fold
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import Terminal, terminal
from tests.integration.test_gateway_executions import EXECUTE, EXECUTIONS, run, store

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCHIVE = "/api/v1/workflows/archive"
ECHO = {"id": "a", "command": "noop", "parameters": {"echo": "one"}}
FAILS = {"id": "f", "command": "shell", "parameters": {"script": "echo the Disk is full; exit 3"}}


@pytest_asyncio.fixture(name="shell", scope="module", loop_scope="module")
async def hv_shell(world: World) -> AsyncIterator[Terminal]:
    async with terminal(world) as opened:
        yield opened


async def move(world: World, template_id: str) -> list[str]:
    """Archive every ended execution of a template, as a coordinator does in time."""
    archiving = MongoArchiving(world.mongo)
    later_ms = world.gateway.parts.clock.now_ms() + DAY_MS
    ids = await archiving.due(
        template_id, ended_before_ms=later_ms, keep_last=0, settled_ms=later_ms, limit=100
    )
    await archiving.finish(await archiving.copy(ids, later_ms))
    return list(ids)


async def test_what_is_archived_reads_as_ever(world: World, shell: Terminal) -> None:
    """State, events, history, replay, provenance and explanation are the same as before, and it is
    marked; lists of live executions have it no more."""
    await store(world, "kept", ECHO)
    execution_id = (await run(world, "kept"))["execution_id"]
    address = f"{EXECUTIONS}/{execution_id}"
    routes = ("events", "history", "replay", "provenance")
    before = {route: (await world.client.get(f"{address}/{route}")).json() for route in routes}
    view = (await world.client.get(address)).json()
    assert view["archived_at_ms"] == 0
    assert await move(world, "kept") == [execution_id]
    assert await world.mongo.database["executions"].find_one({"_id": execution_id}) is None
    assert await world.mongo.database["history"].find_one({"execution_id": execution_id}) is None
    assert before == {
        route: (await world.client.get(f"{address}/{route}")).json() for route in routes
    }
    page = (await world.client.get(f"{address}/history?limit=1")).json()
    rest = (await world.client.get(f"{address}/history?after={page['next_after']}")).json()
    assert page["items"] + rest["items"] == before["history"]["items"]
    archived = (await world.client.get(address)).json()
    assert archived.pop("archived_at_ms") > view.pop("archived_at_ms")
    assert archived == view
    why = (await world.client.get(f"{address}/explain")).json()
    assert [one["cause"] for one in why["findings"]] == ["ended"]
    assert (await world.client.get(f"{EXECUTIONS}?template=kept")).json()["items"] == []
    cancelled = await world.client.post(f"{address}/cancel", json={})
    assert cancelled.status_code == 409
    assert "completed" in cancelled.json()["detail"]
    assert "archived " in await shell.hv("show", execution_id)


async def test_a_request_that_comes_again_runs_nothing(world: World) -> None:
    """The same request once more, through the gateway or left in the journal, finds the archived
    execution: it is not run again."""
    await store(world, "once", ECHO)
    body = {"template_id": "once"}
    key = {"Idempotency-Key": "once-only"}
    first = (await world.client.post(f"{EXECUTE}?wait=30", json=body, headers=key)).json()
    execution_id = first["execution_id"]
    history = (await world.client.get(f"{EXECUTIONS}/{execution_id}/history")).json()
    await move(world, "once")
    again = (await world.client.post(f"{EXECUTE}?wait=5", json=body, headers=key)).json()
    assert (again["execution_id"], again["replayed"]) == (execution_id, True)
    assert again["execution"]["status"] == "completed"
    partition = subjects.partition_of(execution_id)
    request = json.dumps(history["items"][0]["message"]).encode()
    await world.bus.jetstream.publish(subjects.journal(partition, execution_id), request)
    await run(world, "once")  # whatever partition: what came before has been looked at
    other = next(
        one
        for one in (f"ex_probe{n}" for n in range(1_000))
        if subjects.partition_of(one) == partition
    )
    await world.bus.jetstream.publish(subjects.journal(partition, other), b"poison")
    for _ in range(200):
        found = (await world.client.get(f"/api/v1/quarantine?execution={other}")).json()
        if found["items"]:
            break
    assert found["items"], "the partition has gone past the request"
    assert (await world.client.get(f"{EXECUTIONS}/{execution_id}/history")).json() == history
    assert await world.mongo.database["executions"].find_one({"_id": execution_id}) is None


async def test_found_and_exported(world: World, shell: Terminal, tmp_path: Path) -> None:
    """By template, status, label and the text of the failure; each line of an export is one
    execution whole, of which the history folds to its state."""
    await store(world, "broken", FAILS)
    ids = [
        (await run(world, "broken", labels={"team": team}))["execution_id"] for team in ("a", "b")
    ]
    await store(world, "sound", ECHO)
    sound = (await run(world, "sound"))["execution_id"]
    await move(world, "broken")
    await move(world, "sound")

    async def found(query: str) -> list[str]:
        answer = await world.client.get(f"{ARCHIVE}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    assert await found("template=broken") == ids[::-1]
    assert await found("template=broken&limit=1") == ids[1:]
    assert await found("label=team=a") == ids[:1]
    assert await found("template=sound&status=completed") == [sound]
    assert await found("template=sound&status=failed") == []
    assert set(ids) <= set(await found("failure=EXIT"))
    assert await found("template=broken&failure=no such words") == []
    assert (await world.client.get(f"{ARCHIVE}?label=x")).status_code == 422
    assert (await world.client.get(f"{ARCHIVE}?nonsense=1")).status_code == 422
    page = (await world.client.get(f"{ARCHIVE}?template=broken&limit=1")).json()
    assert await found(f"template=broken&cursor={page['next_cursor']}") == ids[:1]
    answer = await world.client.get(f"{ARCHIVE}/export?template=broken")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["execution"]["id"] for line in lines] == ids[::-1]
    for line in lines:
        assert_whole(line)
    target = tmp_path / "out.jsonl"
    said = await shell.hv("archive", "export", "-o", str(target), "--execution", ids[0])
    assert "Wrote 1 executions" in said
    assert json.loads(target.read_text(encoding="utf-8")) == lines[1]
    assert await shell.hv("archive", "export", "--template", "broken") == answer.text
    assert ids[0] in await shell.hv("archive", "list", "--template", "broken")
    assert await shell.hv("archive", "list", "--label", "team=b", "-q") == f"{ids[1]}\n"
    assert (await shell.json("archive"))["items"][0]["id"] == sound
    assert "not `name=value`" in await shell.hv("archive", "export", "--label", "x", code=2)


def assert_whole(line: dict[str, Any]) -> None:
    """The history of an exported execution leads to what it says of itself."""
    execution = line["execution"]
    state = fold(execution["id"], map(HistoryEntry.model_validate, line["history"]))
    assert state is not None
    assert (state.status, state.version) == (execution["status"], execution["version"])
    assert execution["archived_at_ms"] > 0
