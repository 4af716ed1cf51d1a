"""The WebSocket of events, on a real HTTP server and a real stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from shared.contracts.events import PublicEvent
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(world: World) -> AsyncIterator[str]:
    """Where the gateway's sockets are, served by the real server on a free port."""
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    yield f"ws://127.0.0.1:{listener.getsockname()[1]}/api/v1/events"
    stop.set()
    await serving
    listener.close()


def secret(world: World) -> str:
    return (world.home / "admin.key").read_text(encoding="utf-8").strip()


def key(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(world)}"}


async def publish(world: World, *execution_ids: str, kind: str = "step.completed") -> None:
    """Events of the coordinator, one for each id."""
    for execution_id in execution_ids:
        event = PublicEvent(
            id=world.gateway.parts.ids.new("event"),
            type=kind,
            at_ms=1,
            execution_id=execution_id,
            template_id="t",
            category="c",
        )
        await world.gateway.parts.sink.publish(event)


async def receive(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        found: dict[str, Any] = json.loads(await socket.recv())
    return found


async def events(socket: ClientConnection, count: int) -> list[tuple[int, str]]:
    """Sequence and execution of the next events."""
    found = [await receive(socket) for _ in range(count)]
    return [(message["seq"], message["event"]["execution_id"]) for message in found]


async def test_events_come_in_order_and_go_on_where_they_were_left(world: World, url: str) -> None:
    """Messages carry their sequence; a socket that comes back misses none, gets none twice."""
    async with connect(f"{url}?type=step.*&category=c", additional_headers=key(world)) as socket:
        assert "seq" in (await receive(socket))["ready"]
        await publish(world, "ex_1", "ex_2", "ex_3")
        first = await events(socket, 3)
    assert [execution for _, execution in first] == ["ex_1", "ex_2", "ex_3"]
    await publish(world, "ex_4")
    query = f"?category=c&after={first[0][0]}"
    async with connect(url + query, additional_headers=key(world)) as socket:
        await receive(socket)
        again = await events(socket, 3)
    assert again[:2] == first[1:]
    assert again[2][1] == "ex_4"


async def test_a_socket_older_than_the_hub_reads_the_stream(world: World, url: str) -> None:
    """From sequence 0, events from before the gateway's start come too, then live ones."""
    await publish(world, "ex_old")
    query = "?execution=ex_old&since=0"
    async with connect(url + query, additional_headers=key(world)) as socket:
        await receive(socket)
        (old,) = await events(socket, 1)
        await publish(world, "ex_other", "ex_old")
        (new,) = await events(socket, 1)
    assert new[0] > old[0]


async def test_a_browser_sends_its_key_first(world: World, url: str) -> None:
    """Without a header the first message must hold the key; a bad one closes with 4401."""
    async with connect(f"{url}?execution=ex_5") as socket:
        await socket.send(json.dumps({"auth": secret(world)}))
        assert "ready" in await receive(socket)
        await publish(world, "ex_5")
        assert (await events(socket, 1))[0][1] == "ex_5"
    for bad in (json.dumps({"auth": "hive_x"}), "nonsense", json.dumps([1])):
        async with connect(url) as socket:
            await socket.send(bad)
            with pytest.raises(ConnectionClosed) as closed:
                await receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_a_bad_handshake_is_a_problem(world: World, url: str) -> None:
    """A bad key or filter is refused before the socket opens, with problem details."""
    for query, headers, status in (
        ("", {"X-API-Key": "hive_no"}, 401),
        ("?after=x", key(world), 422),
        ("?colour=red", key(world), 422),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url + query, additional_headers=headers):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body)["status"] == status


async def test_the_audit_trail_is_for_admins(world: World, url: str) -> None:
    """An operator's socket gets no audit event; an admin's does."""
    operator = await world.as_role("operator", "socket-operator")
    theirs = {"Authorization": operator.headers["authorization"]}
    await operator.aclose()
    async with (
        connect(url, additional_headers=theirs) as limited,
        connect(f"{url}?type=audit.*", additional_headers=key(world)) as full,
    ):
        await receive(limited)
        await receive(full)
        await world.client.post("/api/v1/keys", json={"name": "audited", "role": "viewer"})
        assert (await receive(full))["event"]["type"] == "audit.issue_key"
        await publish(world, "ex_6")
        assert (await receive(limited))["event"]["execution_id"] == "ex_6"
