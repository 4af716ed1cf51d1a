"""A standing pull: messages of a consumer flow in as they come, within a bound.

The server answers one request with up to `batch` messages as they arrive, and says when the request
is over; then it is made again. Heartbeats tell a quiet server from a lost one.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus

log = structlog.get_logger()

EXPIRES_S: Final = 30.0
HEARTBEAT_S: Final = 5.0
NANOSECONDS: Final = 1_000_000_000


class StandingPull:
    """Keeps one pull request open at a consumer and hands messages to `on_message`.

    `room` says how many more messages may come; the request is made for that many, and made again
    when half of it has been used. `on_closed` is called once when the consumer is gone.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        consumer: str,
        *,
        room: Callable[[], int],
        on_message: Callable[[Msg], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._room = room
        self._on_message = on_message
        self._on_closed = on_closed
        self._asked = 0
        self._outstanding = 0
        self._heard_at = 0.0
        self._expires_at = 0.0
        self._closed = False
        self._subscription: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._inbox = self._bus.client.new_inbox()
        self._subscription = await self._bus.client.subscribe(self._inbox, cb=self._receive)
        await self._ask()
        self._watch = asyncio.create_task(self._keep_asking())

    async def close(self) -> None:
        """Stop asking; messages under way are dropped and come again later."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._subscription is not None and self._bus.client.is_connected:
            await self._subscription.unsubscribe()

    async def more_room(self) -> None:
        """There is room again: ask for more if little is outstanding."""
        if not self._closed and self._outstanding * 2 <= self._asked:
            await self._ask()

    async def _ask(self) -> None:
        wanted = self._room() - self._outstanding
        if wanted <= 0:
            return
        request = {
            "batch": wanted,
            "expires": int(EXPIRES_S * NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_S * NANOSECONDS),
        }
        loop = asyncio.get_running_loop()
        self._outstanding += wanted
        self._asked = self._outstanding
        self._heard_at = loop.time()
        self._expires_at = loop.time() + EXPIRES_S
        try:
            await self._bus.client.publish(
                self._subject, json.dumps(request).encode(), reply=self._inbox
            )
        except NatsError as error:
            log.info("pull not sent", error=str(error))
            self._outstanding = 0

    async def _receive(self, message: Msg) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        status = message.headers.get("Status") if message.headers else None
        if status is None or message.reply:
            self._outstanding = max(0, self._outstanding - 1)
            self._on_message(message)
            if self._outstanding * 2 <= self._asked:
                await self._ask()
        elif status != "100":
            await self._request_over(status, str((message.headers or {}).get("Description", "")))

    async def _request_over(self, status: str, description: str) -> None:
        self._outstanding = 0
        if "Consumer Deleted" in description:
            self._end()
        elif status == "503":
            await asyncio.sleep(0.2)  # nobody answers: the consumer or the server is gone
            await self._check_consumer()
        elif status in ("404", "408") or not self._closed:
            await self._ask()

    async def _check_consumer(self) -> None:
        info = self._subject.replace("CONSUMER.MSG.NEXT", "CONSUMER.INFO")
        try:
            reply = await self._bus.client.request(info, b"", timeout=2)
            missing = json.loads(reply.data).get("error", {}).get("code") == 404
        except (NatsError, TimeoutError):
            return  # the watch asks again
        if missing:
            self._end()
        else:
            await self._ask()

    def _end(self) -> None:
        if not self._closed:
            self._closed = True
            self._on_closed()

    async def _keep_asking(self) -> None:
        """Ask again when the server fell silent or the request ended unheard."""
        loop = asyncio.get_running_loop()
        while not self._closed:
            await asyncio.sleep(1)
            silent = loop.time() - self._heard_at > 2 * HEARTBEAT_S + 1
            if self._bus.connected and (silent or loop.time() > self._expires_at):
                self._outstanding = 0
                await self._check_consumer()


class Mailbox:
    """What several standing pulls have brought and nobody has taken yet."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: deque[Msg] = deque()
        self._arrived = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more messages it holds."""
        return max(0, self._capacity - len(self._messages))

    def put(self, message: Msg) -> None:
        """Add a message."""
        self._messages.append(message)
        self._arrived.set()

    def wake(self) -> None:
        """Let a waiting `take` return, even with nothing."""
        self._arrived.set()

    async def take(self, limit: int) -> list[Msg]:
        """Wait until something is there, then take at most `limit`."""
        await self._arrived.wait()
        count = min(limit, len(self._messages))
        taken = [self._messages.popleft() for _ in range(count)]
        if not self._messages:
            self._arrived.clear()
        return taken
