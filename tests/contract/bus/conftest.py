"""Every test of this folder runs over the bus in memory and over NATS."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.bus.rig import BusRig, MemoryRig, nats_rig
from tests.servers import Servers


@pytest.fixture(params=["memory", "nats pipelined", "nats grouped"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[BusRig]:
    """Ports of one kind; those of NATS log in as the executor, who must be allowed all of this."""
    if request.param == "memory":
        yield MemoryRig()
        return
    servers: Servers = request.getfixturevalue("servers")
    admin, executor = servers.nats_url("admin"), servers.nats_url("executor")
    async with nats_rig(admin, executor, grouped=request.param == "nats grouped") as made:
        yield made
