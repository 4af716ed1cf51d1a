"""The connection to NATS: one a process, reconnecting for ever, and saying so.

One URL or several, separated by commas, of the servers of one cluster, all with the same user. A
client learns of the others from the one it reaches, and goes to another when its own falls silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from shared.adapters.nats.direct import DirectClient
from shared.contracts import subjects

if TYPE_CHECKING:
    from nats.js import JetStreamContext

log = structlog.get_logger()

FIRST_CONNECTION_S: Final = 20.0
"""How long the first connection is tried; later ones are tried for ever."""
PING_S: Final = 2
"""A server that leaves two pings unanswered is given up: a frozen one keeps its connections."""
PENDING_BYTES = 64 * 1024 * 1024
"""What is buffered while the server is away."""


class Bus:
    """A connection and its JetStream context, which every NATS adapter shares."""

    def __init__(self, client: DirectClient) -> None:
        self.client = client
        self.jetstream: JetStreamContext = client.jetstream(timeout=10)

    @property
    def connected(self) -> bool:
        """True while the server answers."""
        return bool(self.client.is_connected)

    @property
    def clustered(self) -> bool:
        """True when the server is one of a cluster."""
        return self.client.is_connected and bool(self.client._server_info.get("cluster"))

    @property
    def reconnects(self) -> int:
        """How often the connection was made anew: what was under way before may be lost."""
        return int(self.client.stats["reconnects"])

    async def probe(self) -> None:
        """For health: raises `ConnectionError` while the server does not answer."""
        if not self.connected:
            raise ConnectionError("not connected")

    async def close(self) -> None:
        """Send what is buffered, then close."""
        if self.client.is_connected:
            await self.client.drain()
        else:
            await self.client.close()


def inbox_prefix(url: str) -> str:
    """Where replies to a user go: apart from those to others, whom they do not concern."""
    user = urlsplit(server_urls(url)[0]).username
    return f"_INBOX.{subjects.token(user)}" if user else "_INBOX"


def server_urls(text: str) -> Sequence[str]:
    """The URLs in a setting. Raises `ValueError` when there is none, or they name several users."""
    urls = [part.strip() for part in text.split(",") if part.strip()]
    logins = {(urlsplit(url).username, urlsplit(url).password) for url in urls}
    if not urls:
        raise ValueError("no server is named; write nats://user:password@host:4222")
    if len(logins) > 1:
        raise ValueError("every server needs the same user and password")
    return urls


async def connect(url: str, name: str, *, first_s: float = FIRST_CONNECTION_S) -> Bus:
    """Connect as `name` (shown in the server's monitoring).

    Raises `ConnectionError` when nothing came of it within `first_s` seconds.
    """

    urls = server_urls(url)
    login = urlsplit(urls[0])

    async def on_error(error: Exception) -> None:
        log.warning("nats error", error=str(error) or type(error).__name__)

    async def on_disconnected() -> None:
        log.warning("nats disconnected")

    async def on_reconnected() -> None:
        log.info("nats reconnected")

    client = DirectClient()
    try:
        # The driver would try its first connection for ever, and hear no signal to stop meanwhile.
        async with asyncio.timeout(first_s):
            await client.connect(
                list(urls),
                user=login.username,
                password=login.password,
                token=login.username if login.password is None else None,
                name=name,
                inbox_prefix=inbox_prefix(url),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds, which it only sleeps
                ping_interval=PING_S,
                max_outstanding_pings=2,
                pending_size=PENDING_BYTES,
                error_cb=on_error,
                disconnected_cb=on_disconnected,
                reconnected_cb=on_reconnected,
            )
    except TimeoutError as error:
        raise ConnectionError(
            f"NATS let nobody in within {first_s:g} s; check that it runs, and address, "
            "user and password in HIVE_NATS_URL"
        ) from error
    return Bus(client)
