"""The gateway through HTTP, on a real NATS and a real MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.gateway_world import World, client_of, open_world

HELLO = {
    "id": "hello",
    "version": "1.0.0",
    "name": "Hello",
    "category": "custom",
    "tags": ["demo"],
    "parameters": {"who": {"type": "string"}, "times": {"type": "integer", "default": 1}},
    "steps": [
        {"id": "greet", "command": "noop", "parameters": {"echo": "${{ params.who }}"}},
        {"id": "rest", "command": "noop", "depends_on": ["greet"]},
    ],
}


@pytest.fixture
async def world(nats_url: str, mongo_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(nats_url, mongo_url, tmp_path) as running:
        yield running


async def test_first_admin_key_is_private_and_stays(world: World) -> None:
    """The first start writes an admin key of mode 0600 that opens the door."""
    path = world.home / "admin.key"
    assert path.stat().st_mode & 0o777 == 0o600
    me = (await world.client.get("/api/v1/keys/self")).json()
    assert (me["name"], me["role"]) == ("admin", "admin")


async def test_template_to_execution(world: World) -> None:
    """A template is stored, listed, exported and run; the request is in the journal."""
    stored = await world.client.post("/api/v1/workflows/templates", json=HELLO)
    assert stored.status_code == 201, stored.text
    listed = (await world.client.get("/api/v1/workflows/templates?tag=demo")).json()
    assert [item["id"] for item in listed["items"]] == ["hello"]
    ran = await world.client.post(
        "/api/v1/workflows/execute", json={"template_id": "hello", "parameters": {"who": "you"}}
    )
    assert ran.status_code == 202, ran.text
    assert ran.headers["location"].endswith(ran.json()["execution_id"])
    assert (await world.client.get(ran.headers["location"])).status_code == 404


async def test_nobody_without_a_key(world: World) -> None:
    """Without a key nothing but health answers, and the answer says how to get in."""
    async with client_of(world.app, None) as anonymous:
        refused = await anonymous.get("/api/v1/workflows/templates")
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert "admin.key" in refused.json()["detail"]
        assert (await anonymous.get("/health/ready")).json()["checks"]["nats"] == "ok"
