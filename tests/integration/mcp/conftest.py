"""A gateway with an executor behind a real port, and clients of the SDK for each transport."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from services.gateway.server import listen, serve_until
from services.gateway.settings import GatewaySettings
from shared.contracts.api.keys import NewKey, Role
from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World

REPO = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Served:
    """A gateway at an address, and its admin's key."""

    world: World
    url: str
    key: str

    async def key_of(self, role: str, name: str) -> str:
        """The secret of a new key."""
        wanted = NewKey(name=name, role=Role(role))
        return (await self.world.gateway.keys.issue(wanted, by="test")).secret

    @asynccontextmanager
    async def http(self, key: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
        """A client over Streamable HTTP; `legacy` begins with the handshake of older clients."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    @asynccontextmanager
    async def stdio(self, key: str | None = None, mode: str = "auto") -> AsyncIterator[Client]:
        """A client of an `hv mcp` process."""
        environment = {
            "PATH": os.environ["PATH"],
            "HIVE_HOME": str(self.world.home),
            "HIVE_URL": self.url,
            "HIVE_API_KEY": key or self.key,
        }
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "services.cli", "mcp"], env=environment, cwd=REPO
        )
        async with Client(server, mode=mode) as client:
            yield client


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(world: World) -> AsyncIterator[Served]:
    """The module's gateway, listening."""
    stop = asyncio.Event()
    listener = listen(GatewaySettings(gateway_port=0))
    serving = asyncio.create_task(serve_until(stop, world.app, listener, 1))
    key = (world.home / "admin.key").read_text(encoding="utf-8").strip()
    yield Served(world, f"http://127.0.0.1:{listener.getsockname()[1]}", key)
    stop.set()
    await serving
    listener.close()


@pytest.fixture(params=["http", "http-legacy", "stdio"])
def connect(request: pytest.FixtureRequest, served: Served) -> Connect:
    """Opens a client, with the admin's key or a given one."""
    transport, _, mode = request.param.partition("-")

    def opened(key: str | None = None) -> AbstractAsyncContextManager[Client]:
        found: AbstractAsyncContextManager[Client] = getattr(served, transport)(key, mode or "auto")
        return found

    return opened


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured answer of a tool; the SDK's client has checked it against the schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The words and the details of a tool's error."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    (content,) = result.content
    assert content.type == "text"
    return content.text, result.structured_content["error"]
