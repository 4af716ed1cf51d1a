"""A cluster of three nats-servers and three mongods, started once for each module that asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from nats.errors import Error as NatsError

from ops.stack.cluster import EmbeddedCluster, embedded_cluster
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams

PATIENCE_S: Final = 60.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """Six servers on loopback."""
    with embedded_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def bus(cluster: EmbeddedCluster) -> AsyncIterator[Bus]:
    """A connection that may do everything, with all streams made anew."""
    made = await connect(cluster.nats_url(), "fault tests")
    async with asyncio.timeout(PATIENCE_S):
        while not await _emptied(made):  # noqa: ASYNC110 - servers elect who can do it
            await asyncio.sleep(0.3)
    await ensure_streams(made)
    yield made
    await made.close()


async def _emptied(bus: Bus) -> bool:
    """Delete every stream; false while the servers come back from the test before."""
    try:
        for stream in await bus.jetstream.streams_info():
            await bus.jetstream.delete_stream(stream.config.name or "")
        return not await bus.jetstream.streams_info()
    except (NatsError, TimeoutError):
        return False


@pytest.fixture
async def publisher(bus: Bus) -> AsyncIterator[Publisher]:
    """Publishes on that connection."""
    made = Publisher(bus, grouped=False)
    await made.start()
    yield made
    await made.close()
