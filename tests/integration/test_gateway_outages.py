"""What the gateway says when a server is away, and what a retry heals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from nats.errors import ConnectionClosedError
from pymongo.errors import ServerSelectionTimeoutError

from services.gateway.app import create_app
from services.gateway.gateway import Gateway
from services.gateway.parts import Parts
from shared.ports.executions import ExecutionQuery
from shared.workflow.messages import JournalMessage
from tests.integration.gateway_world import World, client_of, open_world

EXECUTE = "/api/v1/workflows/execute"
TEMPLATE = {"id": "t", "name": "T", "steps": [{"id": "a", "command": "noop"}]}


class BrokenJournal:
    """Fails, so many times, before it would store anything; then stores."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.stored: list[str] = []

    async def append(self, execution_id: str, message: JournalMessage, message_id: str) -> bool:
        if self.failures:
            self.failures -= 1
            raise ConnectionClosedError
        self.stored.append(message_id)
        return True


class AwayQueries:
    """A MongoDB that does not answer."""

    async def find(self, query: ExecutionQuery) -> None:
        raise ServerSelectionTimeoutError("no servers")


@pytest.fixture
async def world(nats_url: str, mongo_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(nats_url, mongo_url, tmp_path) as running:
        await running.client.post("/api/v1/workflows/templates", json=TEMPLATE)
        yield running


def beside(world: World, parts: Parts) -> Gateway:
    """The same gateway with other parts; it is not started, as no event is needed."""
    return Gateway.of(parts, world.gateway.settings)


async def test_a_retry_after_a_cut_off_request_heals_it(world: World) -> None:
    """The key was stored and the journal was not written: the retry writes the same execution."""
    journal = BrokenJournal(failures=1)
    app = create_app(beside(world, replace(world.gateway.parts, journal=journal)))
    secret = (world.home / "admin.key").read_text(encoding="utf-8").strip()
    headers = {"Idempotency-Key": "k"}
    async with client_of(app, secret) as client:
        first = await client.post(EXECUTE, json={"template_id": "t"}, headers=headers)
        assert first.status_code == 503
        assert int(first.headers["retry-after"]) >= 1
        assert "NATS" in first.json()["detail"]
        second = await client.post(EXECUTE, json={"template_id": "t"}, headers=headers)
    assert second.status_code == 202
    assert journal.stored == [f"req.{second.json()['execution_id']}"]
    kept = await world.mongo.database["idempotency"].find_one({})
    assert kept is not None
    assert kept["execution_id"] == second.json()["execution_id"]


async def test_an_outage_of_mongodb_is_a_503(world: World) -> None:
    """A read that MongoDB does not answer is a problem that says when to try again."""
    parts = replace(world.gateway.parts, executions=AwayQueries())  # type: ignore[arg-type]
    secret = (world.home / "admin.key").read_text(encoding="utf-8").strip()
    async with client_of(create_app(beside(world, parts)), secret) as client:
        answer = await client.get("/api/v1/workflows/executions")
    assert answer.status_code == 503
    assert "MongoDB" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_readiness_asks_and_tells(world: World) -> None:
    """A probe that fails makes the gateway not ready, and says which server it is."""

    async def away() -> None:
        raise ConnectionError("refused")

    probes = {**world.gateway.parts.probes, "mongodb": away}
    app = create_app(beside(world, replace(world.gateway.parts, probes=probes)))
    async with client_of(app, None) as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"nats": "ok", "mongodb": "ConnectionError: refused"}
