"""A connection that hands messages over as they are parsed, where they are many.

The driver gives each message of a subscription through a queue to a coroutine, headers parsed. On
the path of every step that is a third of what a message costs here. `subscribe_direct` calls a
plain function instead, with headers that are read only when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

log = structlog.get_logger()

_VERSION: Final = b"NATS/1.0"
_LINE: Final = b"\r\n"


class Delivery:
    """One message as it came. Without an address to reply to it is the server's own word, if
    `status` says something."""

    __slots__ = ("_headers", "data", "reply", "subject")

    def __init__(self, subject: str, reply: str, data: bytes, headers: bytes | None) -> None:
        self.subject = subject
        self.reply = reply
        self.data = data
        self._headers = headers or b""

    @property
    def status(self) -> str | None:
        """The server's status code, such as `408`; none on what somebody published."""
        return self._headers.partition(_LINE)[0][len(_VERSION) + 1 :][:3].decode() or None

    @property
    def description(self) -> str:
        """What the server says about its status."""
        line = self._headers.partition(_LINE)[0]
        return line[len(_VERSION) + 5 :].decode()

    def header(self, name: str) -> str | None:
        """The value of a header, none when it is not there."""
        start = self._headers.find(b"\r\n%b:" % name.encode())
        if start < 0:
            return None
        value = self._headers[start + len(name) + 3 :].partition(_LINE)[0]
        return value.strip().decode()


Receive = Callable[[Delivery], None]


class DirectClient(Client):
    """The driver's client, and a shorter way for subscriptions with many messages."""

    def __init__(self) -> None:
        super().__init__()
        self._direct: dict[int, Receive] = {}

    async def subscribe_direct(self, subject: str, receive: Receive) -> Subscription:
        """Call `receive` with each message, in order, from within the reading of the connection:
        it must be quick, wait for nothing and raise nothing."""
        subscription = await self.subscribe(subject, cb=_early(receive))
        self._direct[subscription._id] = receive
        return subscription

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._direct.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        receive = self._direct.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        try:
            receive(Delivery(subject.decode(), reply.decode(), data, headers))
        except Exception:  # it would end the connection
            log.exception("message not taken", subject=subject.decode())


def delivery(message: Msg) -> Delivery:
    """A message that the driver has read already."""
    lines = [b"%b: %b" % (k.encode(), v.encode()) for k, v in (message.headers or {}).items()]
    headers = _LINE.join([_VERSION, *lines, b"", b""])
    return Delivery(message.subject, message.reply, message.data, headers)


def _early(receive: Receive) -> Callable[[Msg], Awaitable[None]]:
    """For a message that comes before `subscribe` has returned."""

    async def take(message: Msg) -> None:
        receive(delivery(message))

    return take
