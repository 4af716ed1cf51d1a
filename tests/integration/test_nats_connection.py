"""The first connection to NATS: refused in time, with what to check."""

import re

import pytest

from ops.stack import ports
from services.executor.settings import ExecutorSettings
from services.gateway.settings import GatewaySettings
from shared.adapters.nats.connection import connect, server_urls
from shared.adapters.nats.streams import StreamsError, ensure_streams
from shared.runtime.settings import load_settings


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nats://u:p@a:1", ["nats://u:p@a:1"]),
        (" nats://u:p@a:1 , nats://u:p@b:2,", ["nats://u:p@a:1", "nats://u:p@b:2"]),
    ],
)
def test_several_servers_are_named_with_commas(text: str, expected: list[str]) -> None:
    """A setting holds one URL or several; spaces and a comma at the end do no harm."""
    assert server_urls(text) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no server"),
        (" , ", "no server"),
        ("nats://u:p@a:1,nats://v:p@b:2", "same user"),
        ("nats://a,nats://u@b", "same user"),
    ],
)
@pytest.mark.parametrize("settings", [ExecutorSettings, GatewaySettings])
def test_servers_of_several_users_are_refused(
    text: str,
    word: str,
    settings: type[ExecutorSettings | GatewaySettings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No server, and users that differ, end a service at its start with the setting's name."""
    monkeypatch.setenv("HIVE_NATS_URL", text)
    with pytest.raises(SystemExit):
        load_settings(settings)
    assert re.search(rf"HIVE_NATS_URL: .*{word}", capsys.readouterr().err)


async def test_more_replicas_than_servers_are_refused(nats_url: str) -> None:
    """A single server cannot keep three copies: it is said at once, and what to check."""
    bus = await connect(nats_url, "test")
    try:
        with pytest.raises(StreamsError, match="HIVE_REPLICAS"):
            await ensure_streams(bus, replicas=3)
    finally:
        await bus.close()
