"""Replay, provenance and quarantine, through REST and `hv`, with a real executor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.contracts import subjects
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import Terminal, terminal
from tests.integration.test_gateway_executions import EXECUTIONS, ask, reach, run, store

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUARANTINE = "/api/v1/quarantine"
ECHO = {"id": "a", "command": "noop", "parameters": {"echo": "one"}}
NEXT = {"id": "b", "command": "noop", "parameters": {"echo": "two"}, "depends_on": ["a"]}


@pytest_asyncio.fixture(name="shell", scope="module", loop_scope="module")
async def hv_shell(world: World) -> AsyncIterator[Terminal]:
    async with terminal(world) as opened:
        yield opened


async def test_an_execution_as_it_was(world: World, shell: Terminal) -> None:
    """After each of its events the state is what it was; beyond the last there is none."""
    await store(world, "replayed", ECHO, NEXT)
    execution_id = (await run(world, "replayed"))["execution_id"]
    address = f"{EXECUTIONS}/{execution_id}"
    whole = (await world.client.get(f"{address}/replay")).json()
    view = (await world.client.get(address)).json()
    assert (whole["state"], whole["divergence"], whole["unchecked"]) == (view, None, "")
    assert whole["event"]["number"] == whole["events"] == view["version"]
    first = (await world.client.get(f"{address}/replay?at=1")).json()
    assert (first["event"]["type"], first["state"]["status"]) == ("execution.created", "pending")
    seen = [
        (await world.client.get(f"{address}/replay?at={n}")).json()
        for n in range(1, whole["events"] + 1)
    ]
    done = [[s["id"] for s in one["state"]["steps"] if s["status"] == "completed"] for one in seen]
    assert [d for i, d in enumerate(done) if i == 0 or d != done[i - 1]] == [[], ["a"], ["a", "b"]]
    beyond = await world.client.get(f"{address}/replay?at={whole['events'] + 1}")
    assert (beyond.status_code, beyond.json()["errors"][0]["field"]) == (422, "at")
    assert (await world.client.get(f"{EXECUTIONS}/ex_none/replay")).status_code == 404
    assert (await shell.json("replay", execution_id, "--at", "1"))["event"] == first["event"]
    assert "decides all of its history the same" in await shell.hv("replay", execution_id)


async def test_where_the_code_decides_otherwise(world: World, shell: Terminal) -> None:
    """An event that this code would not have decided is named, field by field."""
    await store(world, "diverged", ECHO, NEXT)
    execution_id = (await run(world, "diverged"))["execution_id"]
    history = world.mongo.database["history"]
    async for document in history.find({"execution_id": execution_id}):
        changed = [e.replace('"timeout_s":300.0', '"timeout_s":17.0') for e in document["entries"]]
        await history.update_one({"_id": document["_id"]}, {"$set": {"entries": changed}})
    found = (await world.client.get(f"{EXECUTIONS}/{execution_id}/replay")).json()["divergence"]
    assert found["recorded"]["type"] == found["decided"]["type"] == "step.scheduled"
    assert found["differences"] == [{"field": "timeout_s", "recorded": 17.0, "decided": 300.0}]
    assert found["message"] == "execution_requested"
    said = await shell.hv("replay", execution_id)
    assert f"from event {found['event']} on" in said
    assert "timeout_s: recorded 17.0, decided 300.0" in said


async def test_who_did_what(world: World, shell: Terminal) -> None:
    """Suggested by an agent, started and approved by people, cancelled by another; the audit trail
    is for admins."""
    gate = {"id": "a", "command": "noop", "approval": {"allow_self_approval": True}}
    wait = {"id": "w", "command": "wait", "parameters": {"seconds": 60}, "depends_on": ["a"]}
    await store(world, "deeds", gate, wait)
    ran = await shell.json("run", "deeds", "--suggested-by", "agent:bee-1")
    execution_id = ran["execution_id"]
    view = await reach(world, execution_id, "waiting")
    assert view["awaits_approval"] == ["a"]
    gates = (await world.client.get(f"{EXECUTIONS}/{execution_id}/approvals")).json()["items"]
    named = {"gate": "a", "subject_hash": gates[0]["subject_hash"], "comment": "go"}
    assert (await ask(world, execution_id, "approve", **named))[0] == 202
    operator = await world.as_role("operator", "otto")
    async with operator:
        for _ in range(100):
            state = (await world.client.get(f"{EXECUTIONS}/{execution_id}")).json()
            if state["steps"][1]["status"] == "waiting":
                break
            await asyncio.sleep(0.05)
        await operator.post(f"{EXECUTIONS}/{execution_id}/cancel", json={"reason": "too slow"})
        await reach(world, execution_id, "cancelled")
        address = f"{EXECUTIONS}/{execution_id}/provenance"
        theirs = (await operator.get(address)).json()
    deeds = [(d["role"], d["what"], d["by"]["id"], d["detail"]) for d in theirs["deeds"]]
    assert deeds == [
        ("suggested", "execution_requested", "bee-1", ""),
        ("started", "execution_requested", "admin", ""),
        ("approved", "approved", "admin", "go"),
        ("changed", "cancel_requested", "otto", "too slow"),
    ]
    assert theirs["audit"] == []
    audit = (await world.client.get(address)).json()["audit"]
    assert [(e["type"], e["data"]["name"]) for e in audit] == [
        ("audit.execute_workflow", "admin"),
        ("audit.approve_execution", "admin"),
        ("audit.cancel_execution", "otto"),
    ]
    said = await shell.hv("provenance", execution_id)
    assert "agent bee-1" in said
    assert "cancel_execution" in said
    assert "KIND" in await shell.hv("run", "deeds", "--suggested-by", "somebody", code=2)


async def quarantined(world: World, execution_id: str) -> dict[str, Any]:
    for _ in range(300):
        page = (await world.client.get(f"{QUARANTINE}?execution={execution_id}")).json()
        if page["items"]:
            found: dict[str, Any] = page["items"][0]
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing of {execution_id} is in quarantine")


async def test_what_is_put_back_is_applied(world: World, shell: Terminal) -> None:
    """A request whose template is missing is quarantined; put back before that is mended it is
    refused with the cause, afterwards it runs, once."""
    execution_id = world.gateway.parts.ids.execution_id()
    request = b'{"type": "execution_requested", "template_id": "late", "template_version": "1.0.0"}'
    partition = subjects.partition_of(execution_id)
    await world.bus.jetstream.publish(subjects.journal(partition, execution_id), request)
    entry = await quarantined(world, execution_id)
    assert "late@1.0.0 is not stored" in entry["reason"]
    early = await world.client.post(f"{QUARANTINE}/{entry['id']}/retry")
    assert early.status_code == 409
    assert "late@1.0.0 is not stored" in early.json()["detail"]
    await store(world, "late", ECHO)
    assert entry["id"] in await shell.hv("quarantine")
    assert "hv quarantine retry" in await shell.hv("quarantine", "show", entry["id"])
    done = await shell.json("quarantine", "retry", entry["id"])
    assert (done["resolution"]["outcome"], done["resolution"]["by"]["id"]) == ("retried", "admin")
    for _ in range(200):
        view = (await world.client.get(f"{EXECUTIONS}/{execution_id}")).json()
        if view.get("ended"):
            break
        await asyncio.sleep(0.05)
    assert view["status"] == "completed"
    again = await world.client.post(f"{QUARANTINE}/{entry['id']}/retry")
    assert again.status_code == 409
    assert "retried already by admin" in again.json()["detail"]
    assert (await world.client.get(f"{QUARANTINE}?execution={execution_id}")).json()["items"] == []


async def test_what_is_discarded_has_a_reason(world: World, shell: Terminal) -> None:
    """What is no message cannot be put back; it is discarded with a reason, which is audited."""
    execution_id = world.gateway.parts.ids.execution_id()
    partition = subjects.partition_of(execution_id)
    request = (
        b'{"type": "execution_requested", "template_id": "late", "template_version": "1.0.0", '
        b'"labels": 7}'
    )
    await world.bus.jetstream.publish(subjects.journal(partition, execution_id), request)
    entry = await quarantined(world, execution_id)
    refused = await world.client.post(f"{QUARANTINE}/{entry['id']}/retry")
    assert refused.status_code == 409
    assert "labels" in refused.json()["detail"]
    for role in ("viewer", "agent"):
        async with await world.as_role(role) as client:
            assert (await client.get(f"{QUARANTINE}/{entry['id']}")).status_code == 200
            denied = await client.post(f"{QUARANTINE}/{entry['id']}/discard", json={"reason": "x"})
            assert denied.status_code == 403
    unsaid = await world.client.post(f"{QUARANTINE}/{entry['id']}/discard", json={"reason": ""})
    assert unsaid.status_code == 422
    said = await shell.hv("quarantine", "discard", entry["id"], "--reason", "a typing error")
    assert "Discarded" in said
    kept = (await world.client.get(f"{QUARANTINE}?resolved=true")).json()["items"]
    assert next(one for one in kept if one["id"] == entry["id"])["resolution"]["reason"] == (
        "a typing error"
    )
    trail = await world.gateway.parts.events.about(entry["id"], 10, category="audit")
    assert [e.type for e in trail if e.data["result"] == "200"] == ["audit.discard_quarantined"]
    assert (await world.client.get(f"{QUARANTINE}/none")).status_code == 404
