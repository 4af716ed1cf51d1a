"""The task queues on JetStream, as a runner and as a coordinator see them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.publisher import RESENT
from shared.adapters.nats.pull import Mailbox, StandingPull
from shared.contracts import subjects
from shared.contracts.tasks import Task

log = structlog.get_logger()

ACK_WAIT_S: Final = 15.0
"""A task whose runner is silent for this long goes to another one."""


class NatsTaskDelivery:
    """One task, until acknowledged."""

    def __init__(self, bus: Bus, message: Msg) -> None:
        parts = message.reply.split(".")
        self._bus = bus
        self._reply = message.reply
        self.payload = message.data
        self.resent = RESENT in (message.headers or {})
        self.deliveries = int(parts[-5])
        self.age_ms = max(0, time.time_ns() - int(parts[-2])) // 1_000_000
        self.task = _parse(message)

    async def acknowledge(self) -> None:
        """The task is done with."""
        await self._bus.client.publish(self._reply, b"+ACK")

    async def in_progress(self) -> None:
        """Still working on it."""
        await self._bus.client.publish(self._reply, b"+WPI")

    async def hand_back(self, delay_s: float = 0) -> None:
        """Give it to another runner."""
        body = f'-NAK {{"delay": {int(delay_s * 1e9)}}}' if delay_s else "-NAK"
        await self._bus.client.publish(self._reply, body.encode())


def _parse(message: Msg) -> Task | None:
    try:
        return Task.model_validate_json(message.data)
    except ValidationError as error:
        log.warning("task cannot be read", subject=message.subject, reason=str(error)[:500])
        return None


class NatsTaskFeed:
    """Pulls from every pool of one agent, for as many tasks as it has free slots."""

    def __init__(
        self,
        bus: Bus,
        agent: str,
        capabilities: Sequence[str],
        *,
        slots: int,
        ack_wait_s: float = ACK_WAIT_S,
    ) -> None:
        self._bus = bus
        self._pools = [
            subjects.pool_any(),
            *(subjects.pool_capability(c) for c in capabilities),
            subjects.pool_host(agent),
        ]
        self._slots = slots
        self._in_hand = 0
        self._ack_wait_s = ack_wait_s
        self._mailbox = Mailbox(slots)
        self._pulls: list[StandingPull] = []
        self._closed = False

    async def start(self) -> None:
        """Make the pools' consumers where they are missing, and begin to pull."""
        for pool in self._pools:
            consumer = "pool-" + pool.replace(".", "-")
            await self._bus.jetstream.add_consumer(
                subjects.TASKS,
                ConsumerConfig(
                    durable_name=consumer,
                    filter_subject=f"hive.task.{pool}.>",
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=self._ack_wait_s,
                    max_ack_pending=100_000,
                    max_waiting=2_048,
                ),
            )
            pull = StandingPull(
                self._bus,
                subjects.TASKS,
                consumer,
                room=lambda: 0 if self._closed else max(0, self._slots - self._in_hand),
                on_message=self._arrived,
                on_closed=self._mailbox.wake,
            )
            self._pulls.append(pull)
            await pull.start()

    async def take(self, limit: int) -> Sequence[NatsTaskDelivery]:
        """Wait for at least one task, then give what is there."""
        messages = await self._mailbox.take(limit)
        return [NatsTaskDelivery(self._bus, message) for message in messages]

    async def done(self, count: int = 1) -> None:
        """Slots are free again: pull for more."""
        self._in_hand = max(0, self._in_hand - count)
        for pull in self._pulls:
            await pull.more_room()

    async def close(self) -> None:
        """Ask for no more."""
        self._closed = True
        for pull in self._pulls:
            await pull.close()
        self._mailbox.wake()

    def _arrived(self, message: Msg) -> None:
        self._in_hand += 1
        self._mailbox.put(message)
