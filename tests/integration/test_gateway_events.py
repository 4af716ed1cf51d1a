"""The WebSocket of events, on a real HTTP server and a real stream."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from shared.contracts import subjects
from shared.contracts.api.keys import NewKey, Role
from shared.contracts.events import PublicEvent
from tests.integration.gateway_fixtures import quiet_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """Where a gateway's sockets are, served by the real server on a free port."""
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/api/v1/events"
    finally:
        stop.set()
        await serving
        listener.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(world: World) -> AsyncIterator[str]:
    """The sockets of the module's gateway."""
    async with served(world) as address:
        yield address


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


async def receive(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        found: dict[str, Any] = json.loads(await client.recv())
    return found


async def events(client: ClientConnection, count: int) -> list[tuple[int, str]]:
    """Sequence and execution of the next events."""
    found = [await receive(client) for _ in range(count)]
    return [(message["seq"], message["event"]["execution_id"]) for message in found]


async def test_events_come_in_order_and_go_on_where_they_were_left(world: World, url: str) -> None:
    """Messages carry their sequence; a socket that comes back misses none, gets none twice."""
    async with connect(f"{url}?type=step.*&category=c", additional_headers=key(world)) as client:
        assert "seq" in (await receive(client))["ready"]
        await publish(world, "ex_1", "ex_2", "ex_3")
        first = await events(client, 3)
    assert [execution for _, execution in first] == ["ex_1", "ex_2", "ex_3"]
    await publish(world, "ex_4")
    query = f"?category=c&after={first[0][0]}"
    async with connect(url + query, additional_headers=key(world)) as client:
        await receive(client)
        again = await events(client, 3)
    assert again[:2] == first[1:]
    assert again[2][1] == "ex_4"


async def test_a_socket_older_than_the_hub_reads_the_stream(world: World, url: str) -> None:
    """From sequence 0, events from before the gateway's start come too, then live ones."""
    await publish(world, "ex_old")
    query = "?execution=ex_old&since=0"
    async with connect(url + query, additional_headers=key(world)) as client:
        await receive(client)
        (old,) = await events(client, 1)
        await publish(world, "ex_other", "ex_old")
        (new,) = await events(client, 1)
    assert new[0] > old[0]


async def test_a_browser_sends_its_key_first(world: World, url: str) -> None:
    """Without a header the first message must hold the key; a bad one closes with 4401."""
    async with connect(f"{url}?execution=ex_5") as client:
        await client.send(json.dumps({"auth": secret(world)}))
        assert "ready" in await receive(client)
        await publish(world, "ex_5")
        assert (await events(client, 1))[0][1] == "ex_5"
    for bad in (json.dumps({"auth": "hive_x"}), "nonsense", json.dumps([1])):
        async with connect(url) as client:
            await client.send(bad)
            with pytest.raises(ConnectionClosed) as closed:
                await receive(client)
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


async def test_what_is_not_kept_any_more_is_told(
    nats_url: str, mongo_url: str, tmp_path: Path
) -> None:
    """A socket that resumes from before the oldest event hears what is lost, then goes on."""
    async with open_world(nats_url, mongo_url, tmp_path) as before:
        await publish(before, "ex_gone", "ex_gone", "ex_kept")
        newest = await before.gateway.parts.events.last_seq()
        await before.bus.jetstream.purge_stream(subjects.EVENTS, seq=newest)
    async with open_world(nats_url, mongo_url, tmp_path) as world, served(world) as url:
        async with connect(f"{url}?after={newest - 3}", additional_headers=key(world)) as client:
            ready = (await receive(client))["ready"]
            assert ready["lost"] == {"from": newest - 2, "to": newest - 1}
            assert await events(client, 1) == [(newest, "ex_kept")]
        async with connect(f"{url}?after={newest - 1}", additional_headers=key(world)) as client:
            assert "lost" not in (await receive(client))["ready"]


async def test_a_sequence_that_has_not_been_is_refused(world: World, url: str) -> None:
    """After the stream was made anew a socket would wait for ever; it is closed with 4409."""
    ahead = await world.gateway.parts.events.last_seq() + 1_000
    async with connect(f"{url}?after={ahead}", additional_headers=key(world)) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await receive(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4409


@pytest.mark.parametrize("in_header", [True, False])
async def test_a_revoked_key_ends_its_sockets(world: World, url: str, in_header: bool) -> None:
    """Whichever way the key came, its socket is closed with 4401 within seconds."""
    wanted = NewKey(name=f"brief-{in_header}".lower(), role=Role.VIEWER)
    issued = await world.gateway.keys.issue(wanted, by="test")
    headers = {"X-API-Key": issued.secret} if in_header else None
    async with connect(url, additional_headers=headers) as client:
        if not in_header:
            await client.send(json.dumps({"auth": issued.secret}))
        await receive(client)
        await world.gateway.keys.revoke(issued.key.id)
        with pytest.raises(ConnectionClosed) as closed:
            await drain(client)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "the API key was revoked")


async def test_a_client_that_does_not_read_is_dropped(
    nats_url: str, mongo_url: str, tmp_path: Path
) -> None:
    """It is closed with 4008 and the last sequence it was sent, from which it goes on; meanwhile
    another socket gets everything."""
    opened = open_world(nats_url, mongo_url, tmp_path, gateway_socket_queue=10)
    async with opened as world, served(world) as url:
        query, headers = f"{url}?category=flood", key(world)
        flood = [f"ex_{number}" for number in range(400)]
        narrow = connect(
            query, additional_headers=headers, sock=pipe_to(url), max_queue=1, compression=None
        )
        async with narrow as slow, connect(query, additional_headers=headers) as quick:
            await receive(slow)
            await receive(quick)
            flooding = asyncio.create_task(publish_large(world, flood))
            got = await events(quick, len(flood))
            await flooding
            seen: list[int] = []
            with pytest.raises(ConnectionClosed) as closed:
                await drain(slow, seen)
        assert [execution for _, execution in got] == flood
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4008
        assert closed.value.rcvd.reason == f"too slow; go on with after={seen[-1]}"
        async with connect(f"{query}&after={seen[-1]}", additional_headers=headers) as again:
            await receive(again)
            rest = await events(again, len(flood) - len(seen))
        assert [*seen, *(seq for seq, _ in rest)] == [seq for seq, _ in got]


async def drain(client: ClientConnection, into: list[int] | None = None) -> None:
    """Take what comes, with its sequences, until the end of the connection."""
    while True:
        message = await receive(client)
        if into is not None:
            into.append(message["seq"])


def pipe_to(url: str) -> socket.socket:
    """A connection that takes little before its reader does."""
    address = urlsplit(url)
    pipe = socket.socket()
    pipe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    pipe.connect((address.hostname, address.port))
    return pipe


async def publish_large(world: World, execution_ids: list[str]) -> None:
    """Events of some 50 KB each that cannot be compressed much, one for each id."""
    for execution_id in execution_ids:
        event = PublicEvent(
            id=world.gateway.parts.ids.new("event"),
            type="step.completed",
            at_ms=1,
            execution_id=execution_id,
            category="flood",
            data={"text": secrets.token_hex(25_000)},
        )
        await world.gateway.parts.sink.publish(event)


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
