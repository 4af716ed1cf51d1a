"""The journal on JetStream: a few streams, each holding several partitions.

A coordinator reads a partition through a consumer of its own, kept in the server's memory. Opening
a partition deletes every other consumer of it, so that an earlier owner, alive or not, reads no
more. What has been acknowledged is truncated now and then; the rest of it is delivered again to
the next owner, which knows by sequence what it has applied.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.pull import Mailbox, StandingPull
from shared.contracts import subjects
from shared.ports.journal import RawEntry, Taken
from shared.workflow.messages import JOURNAL_MESSAGE, JournalMessage

log = structlog.get_logger()

IN_HAND: Final = 4_096
"""Entries that may wait in this process before they are taken."""
IN_HAND_EACH: Final = 512
"""Entries of one partition that may be under way to this process."""
TRUNCATE_EVERY_S: Final = 2.0
KEEP_S: Final = 30.0
"""Acknowledged entries stay this long: the claims of runners among them must outlive a restart of
the server, which remembers message ids only of what it still holds."""
IDLE_CONSUMER_S: Final = 120.0
ACK_WAIT_S: Final = 600.0


class NatsJournal:
    """States facts and requests."""

    def __init__(self, publisher: Publisher, partitions: int = subjects.PARTITIONS) -> None:
        self._publisher = publisher
        self._partitions = partitions

    async def append(self, execution_id: str, message: JournalMessage, message_id: str) -> bool:
        """Store a message durably; false when one of the same id was stored before."""
        partition = subjects.partition_of(execution_id, self._partitions)
        stored = await self._publisher.publish(
            subjects.journal_stream(partition),
            subjects.journal(partition, execution_id),
            JOURNAL_MESSAGE.dump_json(message, exclude_defaults=False),
            message_id,
        )
        return not stored.duplicate


@dataclass(slots=True)
class _Open:
    pull: StandingPull
    stream: str
    consumer: str
    caught_up_at: int
    """The last sequence of the stream when the partition was opened."""
    truncated_at: float = 0.0
    acknowledged: deque[tuple[float, int]] = field(default_factory=deque)
    """When and up to which sequence, oldest first; the basis of truncation."""
    truncate: asyncio.Task[None] | None = None
    replies: deque[tuple[int, str]] = field(default_factory=deque)
    """Sequence and acknowledgement address of what was taken, oldest first."""


class NatsJournalReader:
    """Reads the partitions that this process owns."""

    def __init__(self, bus: Bus, owner: str) -> None:
        self._bus = bus
        self._owner = subjects.token(owner)
        self._mailbox = Mailbox(IN_HAND)
        self._open: dict[int, _Open] = {}
        self._lost: list[int] = []

    async def open(self, partition: int) -> None:
        """Take a partition over."""
        stream = subjects.journal_stream(partition)
        floor = await self._evict(stream, partition)
        consumer = f"coordinator-{partition}-{self._owner}"
        await self._bus.jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=consumer,
                filter_subject=f"hive.journal.{partition}.*",
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=floor + 1,
                ack_policy=AckPolicy.ALL,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=200_000,
                inactive_threshold=IDLE_CONSUMER_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        info = await self._bus.jetstream.stream_info(stream)
        pull = StandingPull(
            self._bus,
            stream,
            consumer,
            room=lambda: min(IN_HAND_EACH, self._mailbox.room),
            on_message=self._mailbox.put,
            on_closed=lambda: self._on_lost(partition),
        )
        self._open[partition] = _Open(pull, stream, consumer, info.state.last_seq)
        await pull.start()

    async def close(self, partition: int) -> None:
        """Stop reading a partition."""
        opened = self._open.pop(partition, None)
        if opened is None:
            return
        await opened.pull.close()
        try:
            await self._bus.jetstream.delete_consumer(opened.stream, opened.consumer)
        except (NotFoundError, NatsError, TimeoutError):
            log.info("consumer is gone already", partition=partition)

    async def take(self, limit: int) -> Taken:
        """Wait for something to do, then give what is there."""
        messages = await self._mailbox.take(limit)
        lost, self._lost = self._lost, []
        entries = [entry for message in messages if (entry := self._entry(message)) is not None]
        for opened in self._open.values():
            await opened.pull.more_room()
        return Taken(entries, lost)

    async def acknowledge(self, partition: int, seq: int) -> None:
        """Everything up to `seq` is stored: acknowledge, and truncate now and then."""
        opened = self._open.get(partition)
        if opened is None:
            return
        reply = ""
        while opened.replies and opened.replies[0][0] <= seq:
            reply = opened.replies.popleft()[1]
        if reply:
            await self._bus.client.publish(reply, b"+ACK")
        now = asyncio.get_running_loop().time()
        if now - opened.truncated_at < TRUNCATE_EVERY_S:
            return
        opened.truncated_at = now
        opened.acknowledged.append((now, seq))
        upto = 0
        while opened.acknowledged and now - opened.acknowledged[0][0] >= KEEP_S:
            upto = opened.acknowledged.popleft()[1]
        if upto:
            opened.truncate = asyncio.create_task(self._truncate(opened.stream, partition, upto))

    async def last_seq(self, partition: int) -> int:
        """The sequence of the newest entry of a partition, 0 when it has none."""
        try:
            message = await self._bus.jetstream.get_last_msg(
                subjects.journal_stream(partition), f"hive.journal.{partition}.*"
            )
        except NotFoundError:
            return 0
        return message.seq or 0

    def _entry(self, message: Msg) -> RawEntry | None:
        partition = int(message.subject.split(".", 3)[2])
        opened = self._open.get(partition)
        if opened is None:
            return None
        parts = message.reply.split(".")
        seq, at_ns = int(parts[-4]), int(parts[-2])
        opened.replies.append((seq, message.reply))
        return RawEntry(
            partition=partition,
            execution_id=message.subject.rpartition(".")[2],
            seq=seq,
            at_ms=at_ns // 1_000_000,
            payload=message.data,
            redelivered=seq <= opened.caught_up_at,
        )

    def _on_lost(self, partition: int) -> None:
        if self._open.pop(partition, None) is not None:
            self._lost.append(partition)
            self._mailbox.wake()

    async def _evict(self, stream: str, partition: int) -> int:
        """Delete the consumers of earlier owners; gives the sequence they acknowledged."""
        prefix = f"coordinator-{partition}-"
        floor = 0
        for info in await self._bus.jetstream.consumers_info(stream):
            if info.name.startswith(prefix):
                if info.ack_floor is not None:
                    floor = max(floor, info.ack_floor.stream_seq)
                try:
                    await self._bus.jetstream.delete_consumer(stream, info.name)
                except NotFoundError:
                    continue
        return floor

    async def _truncate(self, stream: str, partition: int, seq: int) -> None:
        try:
            await self._bus.jetstream.purge_stream(
                stream, seq=seq + 1, subject=f"hive.journal.{partition}.*"
            )
        except (APIError, NatsError, TimeoutError) as error:
            log.info("journal not truncated now", partition=partition, error=str(error))
