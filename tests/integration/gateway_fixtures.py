"""One gateway for a whole module of tests: import one of the fixtures, both named `world`, and mark
the tests with `pytest.mark.asyncio(loop_scope="module")`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from services.executor.bootstrap import serve
from services.executor.settings import ExecutorSettings
from shared.adapters.nats.connection import connect
from shared.adapters.nats.streams import ensure_streams
from tests.integration.gateway_world import World, open_world
from tests.servers import Servers, unique_database


@contextmanager
def own_database(servers: Servers) -> Iterator[str]:
    """The URL of a database that is dropped after the block."""
    from pymongo import MongoClient

    url = servers.mongo_admin_url(unique_database())
    yield url
    with MongoClient[dict[str, object]](url) as client:
        client.drop_database(client.get_default_database().name)


async def emptied(servers: Servers, *streams: str) -> None:
    """Take what other modules left out of streams that all of them share."""
    admin = await connect(servers.nats_url(), "test")
    await ensure_streams(admin)
    for stream in streams:
        await admin.jetstream.purge_stream(stream)
    await admin.close()


@asynccontextmanager
async def executor(nats_url: str, mongo_url: str, home: Path) -> AsyncIterator[None]:
    """One executor, coordinator and runner, until the block ends."""
    stop = asyncio.Event()
    settings = ExecutorSettings(
        nats_url=nats_url, mongo_url=mongo_url, home=home, agent_name="agent-test"
    )
    running = asyncio.create_task(serve(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


@pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
async def quiet_world(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A gateway without an executor, with a database of its own."""
    home = tmp_path_factory.mktemp("gateway")
    with own_database(servers) as mongo_url:
        async with open_world(servers.nats_url(), mongo_url, home) as running:
            yield running


@pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
async def busy_world(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A gateway with an executor."""
    home = tmp_path_factory.mktemp("gateway")
    with own_database(servers) as mongo_url:
        async with (
            open_world(servers.nats_url(), mongo_url, home) as running,
            executor(servers.nats_url(), mongo_url, home),
        ):
            yield running
