"""A durable feed of public events, shared by every process that follows under one name.

The place in the stream is kept by the server in a durable consumer. Its filter is what the
followers want together: events that nobody wants do not travel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import BadRequestError, NotFoundError
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.direct import Delivery
from shared.adapters.nats.mailbox import Mailbox
from shared.adapters.nats.pull import StandingPull
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.ports.webhooks import FedEvent

log = structlog.get_logger()

ACK_WAIT_S: Final = 30.0
"""An event that was read and not acknowledged comes again after this time."""
IN_HAND: Final = 512
"""Events that wait in one process."""
UNACKNOWLEDGED: Final = 4_096
"""Most events that are out at all followers together."""
EVERYTHING: Final = "hive.event.>"


class NatsEventFeed:
    """One follower of the feed `name`."""

    def __init__(self, bus: Bus, name: str) -> None:
        self._bus = bus
        self._name = name
        self._mailbox: Mailbox[Delivery] = Mailbox(IN_HAND)
        self._pull: StandingPull | None = None
        self._filters: frozenset[str] = frozenset()
        self._taken: dict[str, None] = {}
        self._gone = False
        self._forgotten = False

    async def follow(self, patterns: Sequence[str], since_ms: int) -> None:
        """Give events that fit a pattern; a feed that is new begins at `since_ms`."""
        wanted = frozenset(subject_filters(patterns))
        if not wanted:
            await self._forget()
            return
        self._forgotten = False
        if self._gone:
            await self._stop()
        if self._pull is None or not _covers(self._filters, wanted):
            self._filters = await self._ensure(wanted, since_ms)
        if self._pull is None:
            await self._start()

    async def take(self, limit: int) -> Sequence[FedEvent]:
        """Wait for events, then give at most `limit`; what cannot be read is logged and dropped."""
        while True:
            messages = await self._mailbox.take(limit)
            if self._pull is not None:
                await self._pull.more_room()
            events = [fed for message in messages if (fed := await self._read(message))]
            if events:
                self._taken |= dict.fromkeys(one.receipt for one in events)
                return events

    async def acknowledge(self, events: Sequence[FedEvent]) -> None:
        """These are dealt with and do not come again."""
        for one in events:
            self._taken.pop(one.receipt, None)
            await self._bus.client.publish(one.receipt, b"+ACK")

    async def close(self) -> None:
        """Take no more, and hand back at once what is not acknowledged."""
        await self._stop()
        if self._mailbox.room < IN_HAND:
            messages = await self._mailbox.take(IN_HAND)
            self._taken |= dict.fromkeys(message.reply for message in messages)
        for receipt in self._taken if self._bus.connected else ():
            await self._bus.client.publish(receipt, b"-NAK")
        self._taken.clear()

    async def _ensure(self, wanted: frozenset[str], since_ms: int) -> frozenset[str]:
        """Make the consumer, or widen it; its filters after that."""
        try:
            info = await self._bus.jetstream.consumer_info(subjects.EVENTS, self._name)
        except NotFoundError:
            return await self._make(wanted, since_ms)
        there = _filters(info.config)
        together = frozenset(without_overlaps([*there, *wanted]))
        if together != there:
            config = info.config.evolve(filter_subject=None, filter_subjects=sorted(together))
            await self._bus.jetstream.add_consumer(subjects.EVENTS, config)
            log.info("event feed widened", feed=self._name, filters=sorted(together))
        return together

    async def _make(self, wanted: frozenset[str], since_ms: int) -> frozenset[str]:
        config = ConsumerConfig(
            durable_name=self._name,
            filter_subjects=sorted(wanted),
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=datetime.fromtimestamp(since_ms / 1_000, UTC),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=UNACKNOWLEDGED,
        )
        try:
            await self._bus.jetstream.add_consumer(subjects.EVENTS, config)
        except BadRequestError:  # another process made it meanwhile, with other filters
            return await self._ensure(wanted, since_ms)
        log.info("event feed made", feed=self._name, filters=sorted(wanted))
        return wanted

    async def _start(self) -> None:
        self._pull = StandingPull(
            self._bus,
            subjects.EVENTS,
            self._name,
            room=lambda: self._mailbox.room,
            on_message=self._mailbox.put,
            on_closed=self._on_gone,
        )
        await self._pull.start()

    async def _forget(self) -> None:
        if self._forgotten:
            return
        await self._stop()
        try:
            await self._bus.jetstream.delete_consumer(subjects.EVENTS, self._name)
        except NotFoundError:
            log.debug("event feed is gone already", feed=self._name)
        self._forgotten = True

    async def _stop(self) -> None:
        pull, self._pull, self._filters, self._gone = self._pull, None, frozenset(), False
        if pull is not None:
            await pull.close()

    def _on_gone(self) -> None:
        """Another process forgot the feed: the next `follow` makes it anew."""
        self._gone = True

    async def _read(self, message: Delivery) -> FedEvent | None:
        try:
            event = PublicEvent.model_validate_json(message.data)
        except ValidationError as error:
            await self._refuse(message, str(error)[:300])
            return None
        return FedEvent(event, _sequence(message), message.reply)

    async def _refuse(self, message: Delivery, reason: str) -> None:
        """A message that cannot be read would come again for ever."""
        log.error("event cannot be read", subject=message.subject, reason=reason)
        await self._bus.client.publish(message.reply, b"+TERM")


def subject_filters(patterns: Iterable[str]) -> list[str]:
    """Subjects that together hold every event that fits a pattern, none overlapping another.

    A token that is not literal becomes `*`, so other events may be among them.
    """
    return without_overlaps([_subject(pattern) for pattern in patterns])


def without_overlaps(filters: Iterable[str]) -> list[str]:
    """Filters that hold at least the same events, of which no two hold the same one.

    NATS refuses filters that overlap. Where one holds another, the other goes; where two overlap
    and neither holds the other (`a.*` and `*.b`), everything is followed.
    """
    distinct = set(filters)
    if EVERYTHING in distinct:
        return [EVERYTHING]
    kept = [f for f in distinct if not any(f != other and _holds(other, f) for other in distinct)]
    crossing = any(a < b and _overlap(a, b) for a in kept for b in kept)
    return [EVERYTHING] if crossing else sorted(kept)


def _sequence(message: Delivery) -> int:
    """The message's sequence in its stream: from its acknowledgement address."""
    return int(message.reply.split(".")[-4])


def _covers(filters: frozenset[str], wanted: frozenset[str]) -> bool:
    return frozenset(without_overlaps([*filters, *wanted])) == filters


def _subject(pattern: str) -> str:
    if pattern == "*":
        return EVERYTHING
    tokens = ["*" if "*" in token else token for token in pattern.split(".")]
    return EVERYTHING if tokens == ["*", "*"] else ".".join(["hive.event", *tokens, "*"])


def _holds(wide: str, narrow: str) -> bool:
    pairs = zip(wide.split("."), narrow.split("."), strict=True)
    return all(w in ("*", n) for w, n in pairs)


def _overlap(left: str, right: str) -> bool:
    pairs = zip(left.split("."), right.split("."), strict=True)
    return all("*" in (a, b) or a == b for a, b in pairs)


def _filters(config: ConsumerConfig) -> frozenset[str]:
    if config.filter_subjects:
        return frozenset(config.filter_subjects)
    return frozenset([config.filter_subject or EVERYTHING])
