"""Concurrency keys through REST and `hv`, with a real executor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import Terminal, terminal
from tests.integration.test_gateway_executions import EXECUTE, EXECUTIONS, reach, store

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = "/api/v1/concurrency"
GO = {"id": "w", "wait_for": {"options": [{"signal": "go"}]}}


@pytest_asyncio.fixture(name="shell", scope="module", loop_scope="module")
async def hv_shell(world: World) -> AsyncIterator[Terminal]:
    async with terminal(world) as opened:
        yield opened


async def begin(world: World, template_id: str) -> str:
    answer = await world.client.post(EXECUTE, json={"template_id": template_id})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["execution_id"])


async def key_when(world: World, holders: list[str], waiting: list[str]) -> dict[str, Any]:
    """The only key, once these have a slot and those wait."""
    for _ in range(300):
        items: list[dict[str, Any]] = (await world.client.get(KEYS)).json()["items"]
        if [
            ([one["execution_id"] for one in key[part]])
            for key in items
            for part in ("holders", "waiting")
        ] == [holders, waiting]:
            return items[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"the keys stay {items}")


async def test_a_key_is_shown_and_released(world: World, shell: Terminal) -> None:
    """Who has a slot and who waits is in the list, in the execution and in its explanation; a slot
    that is released goes to the next one."""
    policies = {"concurrency": {"key": "only one"}}
    await store(world, "limited", GO, policies=policies)
    assert await shell.hv("concurrency") == "No concurrency key is in use.\n"
    first = await begin(world, "limited")
    await key_when(world, [first], [])
    second = await begin(world, "limited")
    key = await key_when(world, [first], [second])
    assert (key["key"], key["limit"]) == ("only one", 1)
    address = f"{KEYS}/{key['id']}"
    assert (await world.client.get(address)).json() == key

    view = await reach(world, second, "waiting")
    assert view["waits_for_slots"] == ["only one"]
    why = (await world.client.get(f"{EXECUTIONS}/{second}/explain")).json()
    assert why["answer"] == f"It waits for a slot of only one, which {first} has."
    assert why["action"] == f"hv concurrency show {key['id']}"

    listed = await shell.hv("concurrency", "list")
    assert first in listed
    assert "1/1" in listed
    shown = await shell.hv("concurrency", "show", key["id"])
    assert f"has a slot  {first}" in shown
    assert f"waits       {second}" in shown

    refused = await world.client.post(
        f"{address}/release", json={"execution_id": "ex_other", "reason": "no"}
    )
    assert refused.status_code == 409
    nameless = await world.client.post(f"{address}/release", json={"execution_id": first})
    assert nameless.json()["errors"][0]["field"] == "reason"
    reason = ("--reason", "its state is damaged")
    await shell.hv("concurrency", "release", key["id"], "--execution", first, *reason)
    await key_when(world, [second], [])

    for execution in (first, second):
        await world.client.post(f"{EXECUTIONS}/{execution}/signals/go", json={})
        assert (await reach(world, execution, "completed"))["waits_for_slots"] == []
    assert (await world.client.get(KEYS)).json() == {"items": []} or await key_free(world)
    missing = await world.client.get(f"{KEYS}/ck_none")
    assert missing.status_code == 404


async def key_free(world: World) -> bool:
    for _ in range(200):
        if (await world.client.get(KEYS)).json() == {"items": []}:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_only_who_may_repair_releases(world: World) -> None:
    """An agent's key may look, and no more."""
    body = {"execution_id": "ex_1", "reason": "I want it"}
    async with await world.as_role("agent") as agent:
        assert (await agent.get(KEYS)).status_code == 200
        assert (await agent.post(f"{KEYS}/ck_1/release", json=body)).status_code == 403
