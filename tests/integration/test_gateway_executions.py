"""Running workflows through the gateway, with a real executor in this process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.runtime.sealing import Sealer, key_from_file
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXECUTE = "/api/v1/workflows/execute"
EXECUTIONS = "/api/v1/workflows/executions"
TEMPLATES = "/api/v1/workflows/templates"

WHO = {"who": {"type": "string"}}
GREET = {"id": "greet", "command": "noop", "parameters": {"echo": "${{ params.who }}"}}
SAY = {"id": "say", "command": "shell", "parameters": {"argv": ["echo", "hello"]}}
LONG = {"id": "long", "command": "shell", "parameters": {"argv": ["sleep", "60"]}}


async def store(world: World, template_id: str, *steps: dict[str, Any], **more: Any) -> None:
    definition = {"id": template_id, "name": template_id, "steps": list(steps), **more}
    stored = await world.client.post(TEMPLATES, json=definition)
    assert stored.status_code == 201, stored.text


async def run(world: World, template_id: str, wait: float = 30, **body: Any) -> dict[str, Any]:
    answer = await world.client.post(
        f"{EXECUTE}?wait={wait}", json={"template_id": template_id, **body}
    )
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def reach(world: World, execution_id: str, *statuses: str) -> dict[str, Any]:
    """The execution, once it has one of these statuses."""
    for _ in range(300):
        view: dict[str, Any] = (await world.client.get(f"{EXECUTIONS}/{execution_id}")).json()
        if view.get("status") in statuses:
            return view
        await asyncio.sleep(0.05)
    raise AssertionError(f"{execution_id} stays {view}")


async def reach_step(world: World, execution_id: str, step_id: str, status: str) -> None:
    """Wait until a step has this status."""
    for _ in range(300):
        view: dict[str, Any] = (await world.client.get(f"{EXECUTIONS}/{execution_id}")).json()
        if any((step["id"], step["status"]) == (step_id, status) for step in view["steps"]):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"step {step_id} of {execution_id} stays {view}")


async def ask(world: World, execution_id: str, request: str, **body: Any) -> tuple[int, str]:
    """Status and detail of the answer to a request about an execution."""
    answer = await world.client.post(f"{EXECUTIONS}/{execution_id}/{request}", json=body)
    return answer.status_code, answer.json().get("detail", "")


async def test_a_workflow_runs_to_its_end(world: World) -> None:
    """`?wait=` gives the ended execution; events, history, logs and lists show the same."""
    outputs = {"greeting": "${{ steps.greet.output.echo }}"}
    await store(world, "hello", GREET, SAY, parameters=WHO, outputs=outputs)
    ran = await run(world, "hello", parameters={"who": "you"}, labels={"team": "a.b"})
    view = ran["execution"]
    assert (view["status"], view["outputs"]) == ("completed", {"greeting": "you"})
    assert {s["id"]: s["status"] for s in view["steps"]} == dict.fromkeys(
        ("greet", "say"), "completed"
    )
    assert view["requested_by"] == {"kind": "user", "id": "admin"}
    assert view["duration_ms"] == view["ended_at_ms"] - view["created_at_ms"]
    base = f"{EXECUTIONS}/{view['id']}"
    events = (await world.client.get(f"{base}/events")).json()["items"]
    assert events[0]["type"] == "execution.created"
    assert events[-1]["type"] == "execution.completed"
    page = (await world.client.get(f"{base}/events?limit=2")).json()
    rest = (await world.client.get(f"{base}/events?after={page['next_after']}")).json()
    assert page["items"] + rest["items"] == events
    history = (await world.client.get(f"{base}/history")).json()["items"]
    assert history[0]["message"]["type"] == "execution_requested"
    logs = (await world.client.get(f"{base}/logs")).json()["items"]
    assert [(line["step"], line["text"]) for line in logs] == [("say", "hello")]
    found = await world.client.get(f"{EXECUTIONS}?label=team=a.b&status=completed&template=hello")
    assert [item["id"] for item in found.json()["items"]] == [view["id"]]


async def test_events_of_the_history_are_those_that_were_published(world: World) -> None:
    """An event read from the history equals the one on the stream, id and all."""
    await store(world, "same_events", SAY)
    execution_id = (await run(world, "same_events"))["execution_id"]
    told = (await world.client.get(f"{EXECUTIONS}/{execution_id}/events")).json()["items"]
    published = []
    async for kept in world.gateway.parts.events.read(0, execution_id):
        published.append(kept.event.model_dump(mode="json"))
        if kept.event.type == "execution.completed":
            break
    assert published == told


async def test_logs_are_followed_to_the_end(world: World) -> None:
    """With `follow` lines stream as NDJSON until the execution has ended."""
    script = "for n in 1 2 3; do echo line $n; sleep 0.1; done"
    step = {"id": "count", "command": "shell", "parameters": {"script": script}}
    await store(world, "lines", step)
    ran = await run(world, "lines", wait=0)
    url = f"{EXECUTIONS}/{ran['execution_id']}/logs?follow=true"
    async with world.client.stream("GET", url) as answer:
        lines = [line async for line in answer.aiter_lines() if line]
    assert [
        part for line in lines for part in (f"line {n}" for n in (1, 2, 3)) if part in line
    ] == [
        "line 1",
        "line 2",
        "line 3",
    ]


async def test_approval_is_asked_for_and_given_once(world: World) -> None:
    """An execution that needs approval waits for it; a second answer is refused with the reason."""
    await store(world, "needs_ok", SAY, policies={"approval_required": True})
    execution_id = (await run(world, "needs_ok", wait=0))["execution_id"]
    await reach(world, execution_id, "waiting")
    status, detail = await ask(world, execution_id, "pause")
    assert (status, "awaits approval" in detail) == (409, True)
    assert (await ask(world, execution_id, "approve", comment="go"))[0] == 202
    view = await reach(world, execution_id, "completed")
    assert view["approved_by"]["id"] == "admin"
    assert (await ask(world, execution_id, "approve"))[0] == 409


async def test_rejection_ends_it(world: World) -> None:
    """A rejected execution is cancelled with the approver's words, and no step of it ran."""
    await store(world, "refused", SAY, policies={"approval_required": True})
    execution_id = (await run(world, "refused", wait=0))["execution_id"]
    await reach(world, execution_id, "waiting")
    assert (await ask(world, execution_id, "reject", comment="not today"))[0] == 202
    view = await reach(world, execution_id, "cancelled")
    assert "not today" in view["stop_reason"]
    assert view["steps"][0]["attempts"] == []


async def test_pause_resume_cancel(world: World) -> None:
    """A running execution is paused, resumed and cancelled; each is refused where it cannot be."""
    await store(world, "long_one", LONG)
    execution_id = (await run(world, "long_one", wait=0))["execution_id"]
    await reach(world, execution_id, "running")
    assert (await ask(world, execution_id, "resume"))[0] == 409
    assert (await ask(world, execution_id, "pause", reason="look first"))[0] == 202
    await reach(world, execution_id, "paused")
    assert (await ask(world, execution_id, "pause"))[0] == 409
    assert (await ask(world, execution_id, "resume"))[0] == 202
    await reach(world, execution_id, "running")
    await reach_step(world, execution_id, "long", "running")
    assert (await ask(world, execution_id, "approve"))[0] == 409
    assert (await ask(world, execution_id, "cancel", reason="enough"))[0] == 202
    view = await reach(world, execution_id, "cancelled")
    assert view["steps"][0]["attempts"][-1]["proof"]["gone"] is True
    status, detail = await ask(world, execution_id, "cancel")
    assert (status, "has ended (cancelled)" in detail) == (409, True)
    status, detail = await ask(world, execution_id, "steps/long/resolve", verdict="completed")
    assert status == 409
    assert (await world.client.post(f"{EXECUTIONS}/ex_none/cancel")).status_code == 404


async def test_sealed_values_are_masked(world: World) -> None:
    """A sealed value shows as `***` in the state, in events and in the history."""
    sealed = Sealer(key_from_file(world.home / "seal.key")).seal("hunter2")
    await store(world, "sealed", GREET, parameters=WHO)
    execution_id = (await run(world, "sealed", parameters={"who": f"it is {sealed}"}))[
        "execution_id"
    ]
    for part in ("", "/events", "/history"):
        text = (await world.client.get(f"{EXECUTIONS}/{execution_id}{part}")).text
        assert "it is ***" in text
        assert "sealed:v1" not in text


async def test_an_idempotency_key_stands_for_one_execution(world: World) -> None:
    """Ten requests at once with one key make one execution; another body is refused."""
    await store(world, "once", GREET, parameters=WHO)
    body = {"template_id": "once", "parameters": {"who": "me"}}
    headers = {"Idempotency-Key": "order-4711"}
    answers = await asyncio.gather(
        *(world.client.post(EXECUTE, json=body, headers=headers) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {202}
    ids = {answer.json()["execution_id"] for answer in answers}
    assert len(ids) == 1
    assert [a.json()["replayed"] for a in answers].count(False) == 1
    await reach(world, ids.pop(), "completed")
    again = await world.client.post(EXECUTE, json=body, headers=headers)
    assert again.json()["replayed"] is True
    listed = (await world.client.get(f"{EXECUTIONS}?template=once")).json()["items"]
    assert len(listed) == 1
    other = {**body, "parameters": {"who": "you"}}
    refused = await world.client.post(EXECUTE, json=other, headers=headers)
    assert refused.status_code == 422
    assert "new key" in refused.json()["detail"]
    operator = await world.as_role("operator")
    async with operator:
        theirs = await operator.post(EXECUTE, json=body, headers=headers)
    assert theirs.json()["replayed"] is False


async def test_pages_of_executions(world: World) -> None:
    """Pages follow each other without a gap or a repetition, newest first."""
    await store(world, "paged", GREET, parameters=WHO)
    ran = [
        (await run(world, "paged", parameters={"who": str(n)}))["execution_id"] for n in range(5)
    ]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = f"?template=paged&limit=2{cursor}"
        page = (await world.client.get(f"{EXECUTIONS}{query}")).json()
        seen += [item["id"] for item in page["items"]]
        following = page.get("next_cursor")
        cursor = f"&cursor={following}" if following else None
    assert seen == ran[::-1]
    assert (await world.client.get(f"{EXECUTIONS}?cursor=nonsense")).status_code == 422


async def test_the_agent_is_shown(world: World) -> None:
    """The live agent that runs commands is listed."""
    agents = (await world.client.get("/api/v1/agents")).json()["agents"]
    assert "agent-test" in [agent["name"] for agent in agents]
