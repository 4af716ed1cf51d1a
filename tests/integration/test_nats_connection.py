"""The first connection to NATS: refused in time, with what to check."""

import pytest

from ops.stack import ports
from shared.adapters.nats.connection import connect


async def test_absent_server_is_said() -> None:
    """Where nothing listens, connecting ends with the setting's name, not in endless tries."""
    with pytest.raises(ConnectionError, match=r"0\.5 s.*HIVE_NATS_URL"):
        await connect(f"nats://127.0.0.1:{ports.pick()}", "test", first_s=0.5)


async def test_connection_is_made(nats_url: str) -> None:
    """Where the server is, it is connected."""
    bus = await connect(nats_url, "test")
    assert bus.connected
    await bus.close()
    assert not bus.connected
