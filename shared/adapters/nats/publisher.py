"""Publishing to JetStream: pipelined, durable, and tried again until it is stored.

Two ways, by what storing costs:

* `pipelined` (the server syncs now and then): every message is sent at once, acknowledgements come
  back on one shared inbox.
* `grouped` (the server syncs every write, `sync_interval: always`): what piles up for a stream
  while a write is under way goes out together, as one atomic batch with one sync. Little piles are
  sent plainly, since a batch costs more than a few single writes. A batch that holds an id already
  stored is refused whole (error 10201); then its messages are sent one by one, and the server drops
  the duplicates.

Every message has an id, so that sending it again is harmless within the stream's duplicate window.
What the server will never take (too large, a bad subject, an invalid schedule) is refused; anything
else is tried again: a server that is away, one that is busy, an answer that was lost.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

import structlog
from nats.aio.subscription import Subscription
from nats.errors import (
    BadHeaderError,
    BadSubjectError,
    MaxPayloadError,
)
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from pydantic_core import from_json

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.direct import Delivery
from shared.runtime.endings import end

log = structlog.get_logger()

ATOMIC_FROM: Final = 8
"""A pile of at least this many messages goes out as one atomic batch."""
BUSY_FROM: Final = 16
"""With this many messages unconfirmed in the process, a small pile is given a moment to grow."""
FULL_PILE: Final = 64
GATHER_S: Final = 0.004
ATOMIC_MOST: Final = 500
ATOMIC_MOST_BYTES: Final = 8 * 1024 * 1024
ATOMIC_WAIT_S: Final = 5.0
"""How long to wait for a batch to be confirmed before its messages are sent one by one."""
FIRST_WAIT_S: Final = 2.0
"""How long to wait for an acknowledgement before sending again; doubles up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S: Final = 5.0
SWEEP_S: Final = 0.5
RESENT: Final = "Hive-Resent"
"""Header of a message that was sent before: the server may have stored and dropped the first."""

ORIGIN: Final = "Hive-Origin"
"""Header that tells one publication from all others, where it matters who was first."""

_HEADERS_MOST: Final = 16 * 1024
"""Bytes of headers that no message of ours has; they are counted only where they may matter."""
_EMPTY_TOKEN: Final = re.compile(r"^\.|\.\.|\.$")
_HEADER_ROOM: Final = 256
"""Bytes of headers that sending adds: those of a batch, and the header block's own lines."""
_DUPLICATE_IN_BATCH: Final = 10201
_TOO_MANY_REQUESTS: Final = 429
_DUPLICATE_UNDER_WAY: Final = 10158
"""A cluster is still agreeing on the first copy of the message: later it is known what became of
it."""
_NEVER: Final = (MaxPayloadError, BadSubjectError, BadHeaderError, ValueError)


class Stored(NamedTuple):
    """Where a message is stored. `duplicate` when one of the same id was there before; if this one
    was `resent`, that may be its own first copy."""

    seq: int
    duplicate: bool
    resent: bool = False


class RefusedError(Exception):
    """The server refused a message for good, for example because it is too large."""


class PublisherClosedError(ConnectionError):
    """The publisher was closed before the message was stored; whether it is, is unknown."""


@dataclass(slots=True)
class _Pending:
    stream: str
    subject: str
    payload: bytes
    headers: dict[str, str]
    done: asyncio.Future[Stored]
    wait_s: float = FIRST_WAIT_S
    resend_at: float = 0.0

    @property
    def size(self) -> int:
        """Bytes on the wire, as the server counts them against its limit."""
        headers = sum(len(k.encode()) + len(v.encode()) + 4 for k, v in self.headers.items())
        return len(self.payload) + headers + _HEADER_ROOM

    @property
    def resent(self) -> bool:
        """True once a copy of it may be stored already."""
        return RESENT in self.headers

    def store(self, seq: int, *, duplicate: bool) -> None:
        """It is stored."""
        if not self.done.done():
            self.done.set_result(Stored(seq, duplicate, self.resent))

    def fail(self, error: Exception) -> None:
        """It never will be, or nobody waits any longer."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # asyncio need not warn when nobody asks


@dataclass(slots=True)
class _Pile:
    messages: deque[_Pending] = field(default_factory=deque)
    under_way: list[_Pending] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class _Batch(Enum):
    """What became of an atomic batch."""

    STORED = "stored"
    REFUSED = "refused"
    """Nothing of it is stored."""
    UNKNOWN = "unknown"


class Publisher:
    """Publishes for one process. Call `start` before, `close` after."""

    def __init__(self, bus: Bus, *, grouped: bool) -> None:
        self._bus = bus
        self._grouped = grouped
        self._inbox = bus.client.new_inbox()
        self._tokens = itertools.count()
        self._pending: dict[str, _Pending] = {}
        self._piles: dict[str, _Pile] = defaultdict(_Pile)
        self._newest: dict[str, int] = {}
        self._last: dict[str, asyncio.Future[Stored]] = {}
        self._to_send: deque[_Pending] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self._closed = False

    @property
    def identity(self) -> str:
        """Tells this publisher from all others."""
        return self._inbox.rpartition(".")[2]

    @property
    def pending(self) -> int:
        """Messages sent or queued and not yet stored."""
        piles = sum(len(pile.messages) + len(pile.under_way) for pile in self._piles.values())
        return piles if self._grouped else len(self._pending) + len(self._to_send)

    async def start(self) -> None:
        """Listen for acknowledgements; learn how far the streams are."""
        self._subscription = await self._bus.client.subscribe_direct(
            f"{self._inbox}.*", self._on_ack
        )
        await self._learn_newest()
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Stop; who waits for a message that is not stored by now gets `PublisherClosedError`."""
        self._closed = True
        piles = list(self._piles.values())
        await end((self._sweeper, self._sender, *(pile.task for pile in piles)))
        left = [*self._pending.values(), *self._to_send]
        for pile in piles:
            left += [*pile.under_way, *pile.messages]
        for message in left:
            message.fail(PublisherClosedError(f"{message.subject}: the publisher was closed"))
        if self._subscription is not None and self._bus.connected:
            await self._subscription.unsubscribe()

    async def _learn_newest(self) -> None:
        """How far the streams are; what has no leader now is learned from what is published."""
        try:
            for info in await self._bus.jetstream.streams_info():
                self._newest[info.config.name or ""] = info.state.last_seq
        except (NatsError, TimeoutError) as error:
            log.info("streams not listed now", error=str(error) or type(error).__name__)

    def newest(self, stream: str) -> int:
        """The highest sequence of a stream that is known here, 0 when none is."""
        return self._newest.get(stream, 0)

    def last(self, stream: str) -> asyncio.Future[Stored] | None:
        """The last message published to a stream."""
        return self._last.get(stream)

    def publish(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> asyncio.Future[Stored]:
        """Store a message; the future is done when it is. Raises `RefusedError` through it."""
        done: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        all_headers = {"Nats-Msg-Id": message_id}
        if headers:
            all_headers |= headers
        message = _Pending(stream, subject, payload, all_headers, done)
        limit = self._bus.client.max_payload
        if self._closed:
            message.fail(PublisherClosedError(f"{subject}: the publisher is closed"))
        elif _EMPTY_TOKEN.search(subject):
            message.fail(RefusedError(f"{subject!r}: a subject has no empty tokens"))
        elif len(payload) > limit - _HEADERS_MOST and message.size > limit:
            # A message that is over the limit only with its headers would make the server hang up.
            message.fail(RefusedError(f"{subject}: {message.size} bytes, the limit is {limit}"))
        elif self._grouped:
            self._pile_up(message)
        else:
            self._queue(message)
        return done

    def origin(self) -> str:
        """A value for the header `ORIGIN` that no other publication has."""
        return f"{self.identity}.{next(self._tokens)}"

    async def is_from(self, origin: str, stream: str, seq: int) -> bool:
        """True when the stored message is a copy of the publication with this `ORIGIN`."""
        while True:
            try:
                message = await self._bus.jetstream.get_msg(stream, seq)
            except NotFoundError:
                return False
            except (NatsError, TimeoutError, OSError) as error:
                log.info("stored message not read", error=str(error) or type(error).__name__)
                await asyncio.sleep(SWEEP_S)
            else:
                return (message.headers or {}).get(ORIGIN) == origin

    def _pile_up(self, message: _Pending) -> None:
        self._last[message.stream] = message.done
        pile = self._piles[message.stream]
        pile.messages.append(message)
        if pile.task is None or pile.task.done():
            pile.task = asyncio.create_task(self._work_off(pile))

    def _queue(self, message: _Pending) -> None:
        self._last[message.stream] = message.done
        self._to_send.append(message)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_queued())

    async def _send_queued(self) -> None:
        while self._to_send:
            await self._send(self._to_send.popleft())

    async def _work_off(self, pile: _Pile) -> None:
        """Group commit: one write under way, the next one made of what came meanwhile."""
        while pile.messages:
            if self.pending >= BUSY_FROM and len(pile.messages) < FULL_PILE:
                await asyncio.sleep(GATHER_S)
            batch = pile.under_way = _next_batch(pile.messages)
            if len(batch) >= ATOMIC_FROM:
                outcome = await self._send_atomically(batch)
                if outcome is _Batch.STORED:
                    continue
                if outcome is _Batch.UNKNOWN:
                    for message in batch:
                        message.headers[RESENT] = "1"
            for message in batch:
                await self._send(message)
            await asyncio.wait([message.done for message in batch])
        pile.under_way = []

    async def _send_atomically(self, batch: list[_Pending]) -> _Batch:
        try:
            answer = await self._batch_answer(batch)
        except _NEVER:
            return _Batch.REFUSED  # one of them; sent one by one, the others go through
        except (NatsError, TimeoutError, OSError) as error:
            log.info("atomic batch not confirmed", error=str(error) or type(error).__name__)
            return _Batch.UNKNOWN
        if "error" in answer or "seq" not in answer:
            if answer.get("error", {}).get("err_code") != _DUPLICATE_IN_BATCH:
                log.info("atomic batch refused", answer=answer)
            return _Batch.REFUSED
        first = int(answer["seq"]) - len(batch) + 1
        for offset, message in enumerate(batch):
            self._stored(message, first + offset, duplicate=False)
        return _Batch.STORED

    async def _batch_answer(self, batch: list[_Pending]) -> dict[str, Any]:
        batch_id = f"{self.identity}.{next(self._tokens)}"
        *others, last = batch
        for number, message in enumerate(others, start=1):
            await self._bus.client.publish(
                message.subject, message.payload, headers=_in_batch(message, batch_id, number)
            )
        reply = await self._bus.client.request(
            last.subject,
            last.payload,
            timeout=ATOMIC_WAIT_S,
            headers=_in_batch(last, batch_id, len(batch)) | {"Nats-Batch-Commit": "1"},
        )
        answer: dict[str, Any] = json.loads(reply.data or b"{}")
        return answer

    async def _send(self, message: _Pending) -> None:
        token = str(next(self._tokens))
        self._pending[token] = message
        message.resend_at = asyncio.get_running_loop().time() + message.wait_s
        try:
            await self._bus.client.publish(
                message.subject,
                message.payload,
                reply=f"{self._inbox}.{token}",
                headers=message.headers,
            )
        except _NEVER as error:
            self._refuse(token, str(error) or type(error).__name__)
        except (NatsError, OSError) as error:
            log.debug("not sent, will be again", error=str(error) or type(error).__name__)

    def _on_ack(self, reply: Delivery) -> None:
        token = reply.subject.rpartition(".")[2]
        try:
            answer = from_json(reply.data)  # nobody there (503): no JSON
            error = answer.get("error")
        except (ValueError, AttributeError):
            self._resend_soon(token)
            return
        if error is None:
            message = self._pending.pop(token, None)
            if message is not None:
                self._stored(message, answer["seq"], duplicate=bool(answer.get("duplicate")))
        elif _may_pass(error):
            self._resend_soon(token)
        else:
            self._refuse(token, error.get("description", "refused"))

    def _stored(self, message: _Pending, seq: int, *, duplicate: bool) -> None:
        if seq > self._newest.get(message.stream, 0):
            self._newest[message.stream] = seq
        message.store(seq, duplicate=duplicate)

    def _refuse(self, token: str, reason: str) -> None:
        message = self._pending.pop(token, None)
        if message is not None:
            message.fail(RefusedError(f"{message.subject}: {reason}"))

    def _resend_soon(self, token: str) -> None:
        message = self._pending.get(token)
        if message is not None:
            message.resend_at = 0.0

    async def _sweep(self) -> None:
        """Send again what is not acknowledged in time, and all of it after a reconnection."""
        loop = asyncio.get_running_loop()
        reconnects = self._bus.reconnects
        while True:
            await asyncio.sleep(SWEEP_S)
            if not self._bus.connected:
                continue
            anew, reconnects = self._bus.reconnects != reconnects, self._bus.reconnects
            now = loop.time()
            due = [t for t, message in self._pending.items() if anew or message.resend_at <= now]
            for token in due:
                await self._send_again(token)

    async def _send_again(self, token: str) -> None:
        message = self._pending.pop(token, None)  # acknowledged meanwhile: gone
        if message is not None and not message.done.done():
            message.wait_s = min(message.wait_s * 2, LONGEST_WAIT_S)
            message.headers[RESENT] = "1"
            await self._send(message)


def _may_pass(error: Mapping[str, Any]) -> bool:
    """Whether the server may take the same message a moment later."""
    code = error.get("code", 500)
    return (
        code >= 500 or code == _TOO_MANY_REQUESTS or error.get("err_code") == _DUPLICATE_UNDER_WAY
    )


def _next_batch(pile: deque[_Pending]) -> list[_Pending]:
    """The oldest messages of a pile, as many as one batch may hold."""
    batch = [pile.popleft()]
    size = batch[0].size
    while pile and len(batch) < ATOMIC_MOST and size + pile[0].size <= ATOMIC_MOST_BYTES:
        batch.append(pile.popleft())
        size += batch[-1].size
    return batch


def _in_batch(message: _Pending, batch_id: str, number: int) -> dict[str, str]:
    return {
        **message.headers,
        "Nats-Batch-Id": batch_id,
        "Nats-Batch-Sequence": str(number),
    }
