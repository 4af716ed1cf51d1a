"""A standing pull: messages of a consumer flow in as they come, within a bound.

The server answers one request with up to `batch` messages as they arrive, and says when the request
is over, and how much of it was left; then it is made again. Heartbeats tell a quiet server from a
lost one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Final

import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.direct import Delivery

log = structlog.get_logger()

EXPIRES_S: Final = 30.0
EXPIRED_UNHEARD_S: Final = 5.0
"""So long after its end a request counts as over, even when the server did not say so."""
HEARTBEAT_S: Final = 2.0
CHECK_S: Final = 2.0
"""How long a consumer may take to say how it is."""
WATCH_S: Final = 1.0
REFUSED_WAIT_S: Final = 0.5
NANOSECONDS: Final = 1_000_000_000

_LEFT: Final = "Nats-Pending-Messages"


class StandingPull:
    """Keeps pull requests open at a consumer and hands messages to `on_message`.

    `room` says how many more messages may come; a request is made for that many, and another one
    when half of it has been used. `on_closed` is called once when the consumer is gone, or, where
    `delivered` tells how many deliveries have arrived, when some were lost on the way. A consumer
    that lives on one server only is given up when it does not answer for `give_up_s` seconds; one
    with replicas, without that bound, elects another leader.
    """

    def __init__(
        self,
        bus: Bus,
        stream: str,
        consumer: str,
        *,
        room: Callable[[], int],
        on_message: Callable[[Delivery], None],
        on_closed: Callable[[], None],
        delivered: Callable[[], int] | None = None,
        give_up_s: float | None = None,
    ) -> None:
        self._bus = bus
        self._delivered = delivered
        self._give_up_s = give_up_s
        self._consumer = consumer
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._info = f"$JS.API.CONSUMER.INFO.{stream}.{consumer}"
        self._room = room
        self._on_message = on_message
        self._on_closed = on_closed
        self._inbox = bus.client.new_inbox()
        self._asked = 0
        self._outstanding = 0
        self._heard_at = 0.0
        self._expires_at = 0.0
        self._unreachable_since: float | None = None
        self._closed = False
        self._subscription: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin."""
        self._subscription = await self._bus.client.subscribe_direct(self._inbox, self._receive)
        await self._ask()
        self._watch = asyncio.create_task(self._keep_asking())

    async def close(self) -> None:
        """Stop asking; messages under way are dropped and come again later."""
        self._closed = True
        subscription, self._subscription = self._subscription, None
        if self._watch is not None and self._watch is not asyncio.current_task():
            self._watch.cancel()
        for job in self._jobs - {asyncio.current_task()}:
            job.cancel()
        if subscription is not None and self._bus.connected:
            await subscription.unsubscribe()

    async def more_room(self) -> None:
        """There is room again: ask for more if little is outstanding."""
        if not self._closed and self._outstanding * 2 <= self._asked:
            await self._ask()

    async def _ask(self) -> None:
        request = self._request()
        if request:
            await self._send(request)

    def _ask_soon(self) -> None:
        request = self._request()
        if request:
            self._run(self._send(request))

    def _request(self) -> bytes:
        """A request for as many as there is room for, which counts as made; empty for none."""
        wanted = self._room() - self._outstanding
        if wanted <= 0 or self._closed:
            return b""
        loop = asyncio.get_running_loop()
        self._outstanding += wanted
        self._asked = self._outstanding
        self._heard_at = loop.time()
        self._expires_at = loop.time() + EXPIRES_S + EXPIRED_UNHEARD_S
        request = {
            "batch": wanted,
            "expires": int(EXPIRES_S * NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_S * NANOSECONDS),
        }
        return json.dumps(request).encode()

    async def _send(self, request: bytes) -> None:
        try:
            await self._bus.client.publish(self._subject, request, reply=self._inbox)
        except (NatsError, OSError) as error:
            log.info("pull not sent", error=str(error) or type(error).__name__)
            self._outstanding = 0  # the watch asks again

    def _run(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _receive(self, message: Delivery) -> None:
        if self._closed:
            return
        self._heard_at = asyncio.get_running_loop().time()
        self._unreachable_since = None
        if message.reply:
            self._outstanding = max(0, self._outstanding - 1)
            self._on_message(message)
            if self._outstanding * 2 <= self._asked:
                self._ask_soon()
        elif message.status != "100":
            self._request_over(message)

    def _request_over(self, message: Delivery) -> None:
        """One request is over. 408: its time is; another one may be open still."""
        left = int(message.header(_LEFT) or self._outstanding)
        self._outstanding = max(0, self._outstanding - left)
        if "Consumer Deleted" in message.description:
            self.end()
        elif message.status in ("404", "408"):
            self._ask_soon()
        else:  # nobody answers, too many requests, the server goes down
            log.info("pull refused", status=message.status, description=message.description)
            self._run(self._look_after(REFUSED_WAIT_S))

    async def _look_after(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        await self._check_consumer()

    async def _check_consumer(self) -> None:
        self._outstanding = 0
        asked_at = asyncio.get_running_loop().time()
        try:
            reply = await self._bus.client.request(self._info, b"", timeout=CHECK_S)
            info = json.loads(reply.data)
        except (NatsError, TimeoutError, OSError, ValueError) as error:
            log.debug("consumer not found now", error=str(error) or type(error).__name__)
            self._unreachable(asked_at)
            return  # the watch looks again
        self._unreachable_since = None
        missing = info.get("error", {}).get("code") == 404
        sent = info.get("delivered", {}).get("consumer_seq", 0)
        if missing or (self._delivered is not None and sent > self._delivered()):
            self.end()
        else:
            await self._ask()

    def _unreachable(self, asked_at: float) -> None:
        """It did not answer a question of `asked_at`: give it up, if that may be for long."""
        if not self._bus.connected:
            self._unreachable_since = None  # it may be fine
            return
        since = self._unreachable_since = self._unreachable_since or asked_at
        now = asyncio.get_running_loop().time()
        if self._give_up_s is not None and now - since >= self._give_up_s:
            log.warning("consumer given up: its server is away", consumer=self._consumer)
            self.end()

    def end(self) -> None:
        """The consumer is of no more use."""
        if not self._closed:
            self._closed = True
            self._closing = asyncio.create_task(self.close())
            self._on_closed()

    async def _keep_asking(self) -> None:
        """Ask again when the server fell silent, came back, or the request ended unheard."""
        loop = asyncio.get_running_loop()
        reconnects = self._bus.reconnects
        while not self._closed:
            await asyncio.sleep(WATCH_S)
            if not self._bus.connected:
                continue
            now = loop.time()
            silent = now - self._heard_at > 2 * HEARTBEAT_S + 1
            anew, reconnects = self._bus.reconnects != reconnects, self._bus.reconnects
            unheard = self._outstanding and (silent or now > self._expires_at)
            if anew or unheard or self._unreachable_since is not None:
                await self._check_consumer()
            elif not self._outstanding:
                await self._ask()
