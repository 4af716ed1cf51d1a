"""A gateway, executors and a rollback service on real servers, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from services.rollback.bootstrap import serve
from services.rollback.settings import RollbackSettings
from tests.integration.gateway_fixtures import executor, own_database
from tests.integration.gateway_world import open_world
from tests.integration.rollback.world import RollbackWorld
from tests.servers import Servers


@asynccontextmanager
async def rollback_service(nats_url: str, mongo_url: str) -> AsyncIterator[None]:
    """A rollback service, until the block ends."""
    stop = asyncio.Event()
    settings = RollbackSettings(nats_url=nats_url, mongo_url=mongo_url)
    service = asyncio.create_task(serve(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await service


@pytest_asyncio.fixture(name="world", scope="module", loop_scope="module")
async def rollback_world(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RollbackWorld]:
    """Everything that a rollback needs."""
    home = tmp_path_factory.mktemp("rollback")
    nats_url = servers.nats_url()
    with own_database(servers) as mongo_url:
        async with (
            open_world(nats_url, mongo_url, home) as world,
            executor(nats_url, mongo_url, home),
            rollback_service(nats_url, mongo_url),
        ):
            yield RollbackWorld(world)
