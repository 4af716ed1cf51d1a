"""Gateways with webhooks that may point to this machine and are quick to try again."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from shared.contracts.events import PublicEvent
from tests.integration.gateway_fixtures import own_database
from tests.integration.gateway_world import World, open_world
from tests.integration.webhooks.receiver import Receiver, running_receiver
from tests.servers import Servers

QUICK = {
    "webhook_allow_private": True,
    "webhook_allow_http": True,
    "webhook_retry_s": (0.05, 0.05, 0.05),
    "webhook_timeout_s": 5.0,
}


class NewWorld(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[World]: ...


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


@pytest.fixture
def new_world(nats_url: str, mongo_url: str, tmp_path: Path) -> NewWorld:
    """Gateways over the same servers, database and home."""

    def new(**settings: Any) -> AbstractAsyncContextManager[World]:
        return open_world(nats_url, mongo_url, tmp_path, **{**QUICK, **settings})

    return new


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """One gateway for all tests of a module; it does not start quickly enough for one each."""
    home = tmp_path_factory.mktemp("gateway")
    with own_database(servers) as mongo_url:
        async with open_world(servers.nats_url(), mongo_url, home, **QUICK) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    """The module's gateway; webhooks of a test do not outlive it."""
    yield module_world
    for webhook in (await module_world.client.get("/api/v1/webhooks")).json()["items"]:
        await module_world.client.delete(f"/api/v1/webhooks/{webhook['id']}")


async def subscribe(world: World, url: str, **wanted: Any) -> tuple[str, str]:
    """A new webhook for `execution.*` (or what is given); its id and secret."""
    body = {"url": url, "filter": {"events": ["execution.*"]}, **wanted}
    answer = await world.client.post("/api/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    issued = answer.json()
    return issued["webhook"]["id"], issued["secret"]


async def store_template(world: World, template_id: str, **fields: Any) -> None:
    """A template of one step, so that filters may name it."""
    steps = [{"id": "one", "command": "noop"}]
    definition = {"id": template_id, "name": template_id, "steps": steps, **fields}
    stored = await world.client.post("/api/v1/workflows/templates", json=definition)
    assert stored.status_code == 201, stored.text


async def happened(
    world: World, event_type: str = "execution.completed", **fields: Any
) -> PublicEvent:
    """Something happens, as a coordinator would publish it."""
    event = PublicEvent.model_validate(
        {
            "id": f"ex_{secrets.token_hex(8)}.7",
            "type": event_type,
            "at_ms": time.time_ns() // 1_000_000,
            "execution_id": "ex_1",
            "version": 7,
            "template_id": "deploy",
            "template_version": "1.2.0",
            "category": "custom",
            "data": {"outputs": {"x": 1}},
            **fields,
        }
    )
    await world.gateway.parts.sink.publish(event)
    return event


async def log_of(world: World, webhook_id: str) -> list[dict[str, Any]]:
    """The delivery log of a webhook, newest first."""
    answer = await world.client.get(f"/api/v1/webhooks/{webhook_id}/deliveries")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def webhook_of(world: World, webhook_id: str) -> dict[str, Any]:
    """A webhook as it is now."""
    answer = await world.client.get(f"/api/v1/webhooks/{webhook_id}")
    found: dict[str, Any] = answer.json()
    return found


async def attempted(world: World, webhook_id: str) -> dict[str, Any]:
    """Wait until the newest delivery of a webhook has been tried."""
    while True:
        found = await log_of(world, webhook_id)
        if found and found[0]["attempts"]:
            return found[0]
        await asyncio.sleep(0.02)


async def settled(world: World, webhook_id: str, status: str, count: int = 1) -> list[Any]:
    """Wait until so many deliveries of a webhook have a status."""
    while True:
        found = [item for item in await log_of(world, webhook_id) if item["status"] == status]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.02)
