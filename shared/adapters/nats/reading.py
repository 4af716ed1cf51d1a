"""Reading a stream in order from any sequence on, without acknowledging anything.

A reader keeps a consumer of its own in the server's memory. Deliveries are counted: where one is
missing (a lost connection, a restarted server), the reader makes its consumer anew, right behind
the last message that it gave. So nothing is left out and nothing comes twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.direct import Delivery
from shared.adapters.nats.mailbox import Mailbox
from shared.adapters.nats.pull import StandingPull

log = structlog.get_logger()

IN_HAND: Final = 512
"""Messages that wait in this process for their reader."""
IDLE_CONSUMER_S: Final = 30.0
"""The server forgets a consumer that nobody has asked for so long."""
RETRY_S: Final = 0.5
GIVE_UP_S: Final = 2.0
"""A consumer that does not answer for so long, though the cluster does, has lost its server."""
FORGET_S: Final = 1.0
"""How long its deletion is waited for; the server forgets it by itself later."""


@dataclass(frozen=True, slots=True)
class Read:
    """One message of the stream. `left` counts those behind it that are already stored."""

    seq: int
    subject: str
    data: bytes
    left: int


async def last_sequence(bus: Bus, stream: str) -> int:
    """The sequence of the newest message, 0 when there was none yet."""
    info = await bus.jetstream.stream_info(stream)
    return int(info.state.last_seq)


async def first_sequence(bus: Bus, stream: str) -> int:
    """The sequence of the oldest message, one more than the newest's when there is none."""
    info = await bus.jetstream.stream_info(stream)
    return int(info.state.first_seq) if info.state.messages else int(info.state.last_seq) + 1


async def read_stream(
    bus: Bus, stream: str, subjects: Sequence[str], *, after: int, to_the_end: bool = False
) -> AsyncGenerator[Read, None]:
    """Messages of these subjects behind a sequence, in order.

    Without `to_the_end` it goes on for ever, and through losses of the connection; with it, it
    ends when no stored message is left, and raises what the server says.
    """
    last = after
    while True:
        try:
            pass_ = await _Pass.start(bus, stream, subjects, last)
        except (NatsError, APIError, TimeoutError) as error:
            if to_the_end:
                raise
            log.info("stream not readable now", stream=stream, error=str(error))
            await asyncio.sleep(RETRY_S)
            continue
        try:
            if to_the_end and pass_.stored == 0:
                return
            async for message in pass_.messages():
                last = message.seq
                yield message
                if to_the_end and message.left == 0:
                    return
        finally:
            await pass_.close()


class _Pass:
    """One consumer, from its making to its first gap."""

    def __init__(self, bus: Bus, stream: str, consumer: str, stored: int) -> None:
        self._bus = bus
        self._stream = stream
        self._consumer = consumer
        self.stored = stored
        self._mailbox: Mailbox[Delivery] = Mailbox(IN_HAND)
        self._gone = False
        self._pull = StandingPull(
            bus,
            stream,
            consumer,
            room=lambda: self._mailbox.room,
            on_message=self._mailbox.put,
            on_closed=self._on_gone,
            give_up_s=GIVE_UP_S,
        )

    @classmethod
    async def start(cls, bus: Bus, stream: str, subjects: Sequence[str], after: int) -> _Pass:
        """Make the consumer and begin to pull. Raises what the server says."""
        config = ConsumerConfig(
            filter_subjects=list(subjects),
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=IDLE_CONSUMER_S,
            mem_storage=True,
            num_replicas=1,
        )
        info = await bus.jetstream.add_consumer(stream, config)
        made = cls(bus, stream, info.name, info.num_pending or 0)
        await made._pull.start()
        return made

    async def messages(self) -> AsyncGenerator[Read, None]:
        """What comes, until one is missing or the consumer is gone."""
        expected = 1
        while not self._gone:
            for message in await self._mailbox.take(IN_HAND):
                position, read = _read(message)
                if position != expected:
                    return
                expected += 1
                yield read
            await self._pull.more_room()

    async def close(self) -> None:
        """Forget the consumer."""
        await self._pull.close()
        if not self._bus.connected:
            return
        try:
            async with asyncio.timeout(FORGET_S):
                await self._bus.jetstream.delete_consumer(self._stream, self._consumer)
        except (NotFoundError, NatsError, APIError, TimeoutError):
            log.debug("consumer is gone already", stream=self._stream, consumer=self._consumer)

    def _on_gone(self) -> None:
        self._gone = True
        self._mailbox.wake()


def _read(message: Delivery) -> tuple[int, Read]:
    """Position in the consumer, and the message: from its acknowledgement address."""
    parts = message.reply.split(".")
    stream_seq, consumer_seq, left = int(parts[-4]), int(parts[-3]), int(parts[-1])
    return consumer_seq, Read(stream_seq, message.subject, message.data, left)
