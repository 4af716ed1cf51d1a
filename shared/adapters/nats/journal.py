"""The journal on JetStream: a few streams, each holding several partitions.

A coordinator reads a partition through a consumer of its own, kept in a server's memory. Opening
a partition deletes every other consumer of it, so that an earlier owner, alive or not, reads no
more, and begins behind what they acknowledged. When the server of a consumer is gone, that is not
known, unless it was our own. What has been acknowledged is truncated now and then; the rest is
delivered again to the next owner, which knows by sequence what it has applied.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.delivery import delivery_info
from shared.adapters.nats.direct import Delivery
from shared.adapters.nats.journal_consumers import evict
from shared.adapters.nats.mailbox import Mailbox
from shared.adapters.nats.publisher import ORIGIN, Publisher
from shared.adapters.nats.pull import StandingPull
from shared.adapters.nats.reading import last_sequence
from shared.contracts import subjects
from shared.ports.journal import RawEntry, Taken
from shared.workflow.messages import Message

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
OPEN_S: Final = 4.0
GIVE_UP_S: Final = 2.0
"""A consumer that does not answer for so long, though the cluster does, has lost its server."""


class NatsJournal:
    """States facts and requests."""

    def __init__(self, publisher: Publisher, partitions: int = subjects.PARTITIONS) -> None:
        self._publisher = publisher
        self._partitions = partitions

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message durably; false when one of the same id was stored before.

        A message that had to be sent again may find its own first copy; that is no other one.
        """
        partition = subjects.partition_of(execution_id, self._partitions)
        stream = subjects.journal_stream(partition)
        origin = self._publisher.origin()
        stored = await self._publisher.publish(
            stream,
            subjects.journal(partition, execution_id),
            message.model_dump_json().encode(),
            message_id,
            {ORIGIN: origin},
        )
        if stored.duplicate and stored.resent:
            return await self._publisher.is_from(origin, stream, stored.seq)
        return not stored.duplicate


@dataclass(slots=True, eq=False)
class _Open:
    partition: int
    stream: str
    consumer: str
    pull: StandingPull | None = None
    caught_up_at: int = 0
    """The last sequence of the stream when the partition was opened."""
    delivered: int = 0
    """The consumer's count of deliveries, of the last one that arrived."""
    newest: int = 0
    """The sequence of the newest entry that arrived."""
    replies: deque[tuple[int, str]] = field(default_factory=deque)
    """Sequence and acknowledgement address of what arrived, oldest first."""
    acknowledged: deque[tuple[float, int]] = field(default_factory=deque)
    """When and up to which sequence, oldest first; the basis of truncation."""
    noted_at: float = 0.0
    truncate: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    def acknowledge(self, seq: int) -> str:
        """The address to acknowledge everything up to `seq` at; empty when there is none new."""
        reply = ""
        while self.replies and self.replies[0][0] <= seq:
            reply = self.replies.popleft()[1]
        return reply

    def note(self, now: float, seq: int) -> None:
        """Note what is acknowledged: one note for each pause between truncations, the last."""
        if self.acknowledged and now - self.noted_at < TRUNCATE_EVERY_S:
            self.acknowledged[-1] = (now, seq)
        else:
            self.noted_at = now
            self.acknowledged.append((now, seq))

    def old_enough(self, now: float, keep_s: float) -> int:
        """The sequence up to which the journal may forget, or 0."""
        upto = 0
        while self.acknowledged and now - self.acknowledged[0][0] >= keep_s:
            upto = self.acknowledged.popleft()[1]
        return upto


class NatsJournalReader:
    """Reads the partitions that this process owns."""

    def __init__(self, bus: Bus, owner: str, *, keep_s: float = KEEP_S) -> None:
        self._bus = bus
        self._owner = subjects.token(owner)
        self._keep_s = keep_s
        self._mailbox: Mailbox[RawEntry] = Mailbox(IN_HAND)
        self._open: dict[int, _Open] = {}
        self._lost: list[int] = []
        self._openings: Counter[int] = Counter()
        self._acknowledged: dict[int, int] = {}
        """By partition, what this process has acknowledged: stored, whoever owns it now."""

    async def open(self, partition: int) -> int:
        """Take a partition over; gives the sequence up to which all is acknowledged. Raises
        `TimeoutError` rather than wait for long: a request that was sent while servers elect a
        leader is never answered, one that is sent a moment later is."""
        async with asyncio.timeout(OPEN_S):
            return await self._take_over(partition)

    async def _take_over(self, partition: int) -> int:
        await self.close(partition)
        stream = subjects.journal_stream(partition)
        floor = await evict(self._bus, stream, partition)
        info = await self._bus.jetstream.stream_info(stream)
        own = self._acknowledged.get(partition, 0)
        if floor < own <= info.state.last_seq:
            floor = own
        opened = _Open(partition, stream, self._new_name(partition))
        await self._bus.jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=opened.consumer,
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
        opened.caught_up_at = await last_sequence(self._bus, stream)
        opened.pull = StandingPull(
            self._bus,
            stream,
            opened.consumer,
            room=lambda: min(IN_HAND_EACH, self._mailbox.room),
            on_message=lambda message: self._arrived(opened, message),
            on_closed=lambda: self._on_lost(opened),
            delivered=lambda: opened.delivered,
            give_up_s=GIVE_UP_S,
        )
        self._open[partition] = opened
        if floor:
            self._note(opened, floor)  # what an earlier owner acknowledged, and did not truncate
        await opened.pull.start()
        return floor

    async def close(self, partition: int) -> None:
        """Stop reading a partition. Its consumer stays for a while, since it knows what is
        acknowledged."""
        opened = self._open.pop(partition, None)
        if opened is None:
            return
        self._drop_waiting(partition)
        if opened.pull is not None:
            await opened.pull.close()
        if opened.timer is not None:
            opened.timer.cancel()
        if opened.truncate is not None:
            opened.truncate.cancel()

    async def take(self, limit: int) -> Taken:
        """Wait for something to do, then give what is there."""
        entries = await self._mailbox.take(limit)
        taken_of = dict(self._open)
        for opened in list(self._open.values()):
            if opened.pull is not None:
                await opened.pull.more_room()
        # A partition may have been closed, and opened again, meanwhile.
        now = self._open
        entries = [e for e in entries if now.get(e.partition) is taken_of.get(e.partition)]
        lost, self._lost = self._lost, []
        return Taken(entries, lost)

    async def acknowledge(self, partition: int, seq: int) -> None:
        """Everything up to `seq` is stored: acknowledge, and truncate now and then."""
        opened = self._open.get(partition)
        if opened is None:
            return
        self._acknowledged[partition] = max(seq, self._acknowledged.get(partition, 0))
        reply = opened.acknowledge(seq)
        if reply:
            await self._tell(reply, b"+ACK")
        self._note(opened, seq)

    async def last_seq(self, partition: int) -> int:
        """The sequence of the newest entry of a partition, 0 when it has none. Raises `OSError`
        when that cannot be known now."""
        try:
            message = await self._bus.jetstream.get_last_msg(
                subjects.journal_stream(partition), f"hive.journal.{partition}.*"
            )
        except NotFoundError:
            return 0
        except NatsError as error:
            raise OSError(f"the journal is not read now: {error}") from error
        return message.seq or 0

    def _new_name(self, partition: int) -> str:
        """Of a consumer: another one each time, since the last may be on a server that is away."""
        self._openings[partition] += 1
        number = self._openings[partition]
        again = f"-{number}" if number > 1 else ""
        return f"coordinator-{partition}-{self._owner}{again}"

    def _arrived(self, opened: _Open, message: Delivery) -> None:
        """Keep the order: after a lost delivery nothing may be taken, or acknowledging what came
        later would acknowledge it too. The partition is opened again, from what is acknowledged."""
        if self._open.get(opened.partition) is not opened:
            return
        info = delivery_info(message.reply)
        if info.consumer_seq != opened.delivered + 1:
            log.warning("deliveries of the journal were lost", partition=opened.partition)
            self._on_lost(opened)
            return
        opened.delivered = info.consumer_seq
        if info.seq > opened.newest:  # else it waited too long for its acknowledgement
            opened.newest = info.seq
            opened.replies.append((info.seq, message.reply))
            self._mailbox.put(
                RawEntry(
                    opened.partition,
                    message.subject.rpartition(".")[2],
                    info.seq,
                    info.at_ms,
                    message.data,
                    info.seq <= opened.caught_up_at,
                )
            )

    def _on_lost(self, opened: _Open) -> None:
        if self._open.get(opened.partition) is not opened:
            return
        del self._open[opened.partition]
        self._drop_waiting(opened.partition)
        if opened.pull is not None:
            opened.pull.end()
        self._lost.append(opened.partition)
        self._mailbox.wake()

    def _drop_waiting(self, partition: int) -> None:
        self._mailbox.remove(lambda entry: entry.partition == partition)

    async def _tell(self, subject: str, payload: bytes) -> None:
        """Without harm if it is lost: the next acknowledgement covers this one."""
        try:
            await self._bus.client.publish(subject, payload)
        except (NatsError, OSError) as error:
            log.info("not sent", subject=subject, error=str(error) or type(error).__name__)

    def _note(self, opened: _Open, seq: int) -> None:
        opened.note(asyncio.get_running_loop().time(), seq)
        if opened.timer is None:
            self._look_later(opened)

    def _look_later(self, opened: _Open) -> None:
        pause_s = min(TRUNCATE_EVERY_S, self._keep_s)
        opened.timer = asyncio.get_running_loop().call_later(pause_s, self._look, opened)

    def _look(self, opened: _Open) -> None:
        """Truncate what is old enough, and look again for as long as anything acknowledged is
        there: also when nothing more comes, the journal holds nothing but what is in flight."""
        opened.timer = None
        if self._open.get(opened.partition) is not opened:
            return
        upto = opened.old_enough(asyncio.get_running_loop().time(), self._keep_s)
        if upto:
            truncation = self._truncate(opened.stream, opened.partition, upto)
            opened.truncate = asyncio.create_task(truncation)
        if opened.acknowledged:
            self._look_later(opened)

    async def _truncate(self, stream: str, partition: int, seq: int) -> None:
        try:
            await self._bus.jetstream.purge_stream(
                stream, seq=seq + 1, subject=f"hive.journal.{partition}.*"
            )
        except (APIError, NatsError, TimeoutError, OSError) as error:
            log.info("journal not truncated now", partition=partition, error=str(error))
