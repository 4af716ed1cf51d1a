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
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus

log = structlog.get_logger()

ATOMIC_FROM: Final = 8
"""A pile of at least this many messages goes out as one atomic batch."""
ATOMIC_MOST: Final = 500
FIRST_WAIT_S: Final = 2.0
"""How long to wait for an acknowledgement before sending again; doubles up to `LONGEST_WAIT_S`."""
LONGEST_WAIT_S: Final = 15.0
SWEEP_S: Final = 0.5
RESENT: Final = "Hive-Resent"
"""Header of a message that was sent before: the server may have stored and dropped the first."""

_DUPLICATE_IN_BATCH: Final = 10201


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a message is stored. `duplicate` when one of the same id was there before."""

    seq: int
    duplicate: bool


class RefusedError(Exception):
    """The server refused a message for good, for example because it is too large."""


@dataclass(slots=True)
class _Pending:
    subject: str
    payload: bytes
    headers: dict[str, str]
    done: asyncio.Future[Stored]
    wait_s: float = FIRST_WAIT_S
    resend_at: float = 0.0


@dataclass(slots=True)
class _Pile:
    messages: deque[_Pending] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Publisher:
    """Publishes for one process. Call `start` before, `close` after."""

    def __init__(self, bus: Bus, *, grouped: bool) -> None:
        self._bus = bus
        self._grouped = grouped
        self._inbox = bus.client.new_inbox()
        self._tokens = itertools.count()
        self._pending: dict[str, _Pending] = {}
        self._piles: dict[str, _Pile] = defaultdict(_Pile)
        self._sweeper: asyncio.Task[None] | None = None
        self._to_send: deque[_Pending] = deque()
        self._sender: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Messages sent or queued and not yet stored."""
        return len(self._pending) + sum(len(pile.messages) for pile in self._piles.values())

    async def start(self) -> None:
        """Listen for acknowledgements."""
        await self._bus.client.subscribe(f"{self._inbox}.*", cb=self._on_ack)
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Stop; what is not stored by now stays unsent."""
        tasks = [self._sweeper, self._sender, *(pile.task for pile in self._piles.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

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
        message = _Pending(subject, payload, {"Nats-Msg-Id": message_id, **(headers or {})}, done)
        if self._grouped:
            pile = self._piles[stream]
            pile.messages.append(message)
            if pile.task is None or pile.task.done():
                pile.task = asyncio.create_task(self._work_off(pile))
        else:
            self._to_send.append(message)
            if self._sender is None or self._sender.done():
                self._sender = asyncio.create_task(self._send_queued())
        return done

    async def _send_queued(self) -> None:
        while self._to_send:
            await self._send(self._to_send.popleft())

    async def _work_off(self, pile: _Pile) -> None:
        """Group commit: one write under way, the next one made of what came meanwhile."""
        while pile.messages:
            count = min(len(pile.messages), ATOMIC_MOST)
            batch = [pile.messages.popleft() for _ in range(count)]
            if count >= ATOMIC_FROM:
                if await self._send_atomically(batch):
                    continue
                for message in batch:
                    message.headers[RESENT] = "1"
            for message in batch:
                await self._send(message)
            await asyncio.wait([message.done for message in batch])

    async def _send_atomically(self, batch: list[_Pending]) -> bool:
        """Send as one atomic batch; false when the messages must be sent one by one."""
        batch_id = f"{self._inbox[-22:]}.{next(self._tokens)}"
        last = len(batch)
        try:
            for number, message in enumerate(batch[:-1], start=1):
                await self._bus.client.publish(
                    message.subject, message.payload, headers=_in_batch(message, batch_id, number)
                )
            commit = _in_batch(batch[-1], batch_id, last) | {"Nats-Batch-Commit": "1"}
            reply = await self._bus.client.request(
                batch[-1].subject, batch[-1].payload, timeout=LONGEST_WAIT_S, headers=commit
            )
            answer: dict[str, Any] = json.loads(reply.data or b"{}")
        except (NatsError, TimeoutError, ValueError) as error:
            log.info("atomic batch not confirmed", error=str(error) or type(error).__name__)
            return False
        if "error" in answer or "seq" not in answer:
            code = answer.get("error", {}).get("err_code")
            if code != _DUPLICATE_IN_BATCH:
                log.info("atomic batch refused", answer=answer)
            return False
        first = int(answer["seq"]) - last + 1
        for offset, message in enumerate(batch):
            if not message.done.done():
                message.done.set_result(Stored(first + offset, duplicate=False))
        return True

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
        except NatsError as error:
            if "MaxPayload" in type(error).__name__:
                self._finish(token, RefusedError(f"{message.subject}: {error}"))
            # Anything else is a server that is away: the sweeper sends it again.

    async def _on_ack(self, reply: Msg) -> None:
        token = reply.subject.rpartition(".")[2]
        if reply.headers and reply.headers.get("Status") == "503":
            self._resend_soon(token)
            return
        try:
            answer = json.loads(reply.data)
        except ValueError:
            self._resend_soon(token)
            return
        error = answer.get("error")
        if error is None:
            self._finish(token, Stored(answer["seq"], bool(answer.get("duplicate"))))
        elif error.get("code", 500) >= 500:
            self._resend_soon(token)
        else:
            self._finish(token, RefusedError(error.get("description", "refused")))

    def _finish(self, token: str, result: Stored | RefusedError) -> None:
        message = self._pending.pop(token, None)
        if message is None or message.done.done():
            return
        if isinstance(result, Stored):
            message.done.set_result(result)
        else:
            message.done.set_exception(result)

    def _resend_soon(self, token: str) -> None:
        message = self._pending.get(token)
        if message is not None:
            message.resend_at = 0.0

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            if not self._bus.connected:
                continue
            now = loop.time()
            due = [t for t, message in self._pending.items() if message.resend_at <= now]
            for token in due:
                message = self._pending.pop(token)
                message.wait_s = min(message.wait_s * 2, LONGEST_WAIT_S)
                if not message.done.done():
                    message.headers[RESENT] = "1"
                    await self._send(message)


def _in_batch(message: _Pending, batch_id: str, number: int) -> dict[str, str]:
    return {
        **message.headers,
        "Nats-Batch-Id": batch_id,
        "Nats-Batch-Sequence": str(number),
    }
