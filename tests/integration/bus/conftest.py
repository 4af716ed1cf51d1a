"""A nats-server of one's own, which may be killed, and the streams on it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from ops.stack.layout import Layout
from ops.stack.nats import NatsServer
from ops.stack.servers import prepare
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams


@dataclass(frozen=True)
class Shore:
    """A server, a connection that may do everything, and a publisher on it."""

    server: NatsServer
    bus: Bus
    publisher: Publisher

    def kill_and_restart(self) -> None:
        """As a power cut of the process would, and back."""
        self.server.kill()
        self.server.start()
        self.server.wait_ready()


@pytest.fixture(scope="module", params=["grouped", "pipelined"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[NatsServer, bool]]:
    """`grouped` publishing on a server that syncs every write, `pipelined` on one that does not."""
    grouped = request.param == "grouped"
    layout = Layout(tmp_path_factory.mktemp("nats"))
    running = prepare(layout, durability="safe" if grouped else "relaxed").nats
    running.start()
    running.wait_ready()
    yield running, grouped
    running.stop()


@pytest.fixture
async def shore(server: tuple[NatsServer, bool]) -> AsyncIterator[Shore]:
    running, grouped = server
    admin = await connect(running.url("admin"), "test: cleaning")
    for stream in await admin.jetstream.streams_info():
        await admin.jetstream.delete_stream(stream.config.name or "")
    await ensure_streams(admin)
    await admin.close()
    bus = await connect(running.url("admin"), "test")  # what users may do is tested elsewhere
    publisher = Publisher(bus, grouped=grouped)
    await publisher.start()
    yield Shore(running, bus, publisher)
    await publisher.close()
    await bus.close()
