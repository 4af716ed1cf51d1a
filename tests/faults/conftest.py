"""A cluster of three nats-servers and three mongods, started once for each module that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from ops.stack.cluster import EmbeddedCluster, embedded_cluster
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """Six servers on loopback."""
    with embedded_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def bus(cluster: EmbeddedCluster) -> AsyncIterator[Bus]:
    """A connection that may do everything, with all streams made anew."""
    made = await connect(cluster.nats_url(), "fault tests")
    for stream in await made.jetstream.streams_info():
        await made.jetstream.delete_stream(stream.config.name or "")
    await ensure_streams(made)
    yield made
    await made.close()


@pytest.fixture
async def publisher(bus: Bus) -> AsyncIterator[Publisher]:
    """Publishes on that connection."""
    made = Publisher(bus, grouped=False)
    await made.start()
    yield made
    await made.close()
