"""Servers of one's own, which may be killed, and a world of executors for each module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ops.stack.servers import EmbeddedServers, embedded_servers
from tests.integration.executor.world import World, new_world


@pytest.fixture(scope="session")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """NATS and MongoDB for these tests alone; once for all of them, whatever runs between them."""
    with embedded_servers(tmp_path_factory.mktemp("own-servers"), durability="relaxed") as servers:
        yield servers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    own_servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """An empty world that the tests of a module share, in one event loop."""
    async with new_world(own_servers, tmp_path_factory.mktemp("world")) as made:
        yield made
