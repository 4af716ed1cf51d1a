"""The task queues on JetStream, as a runner and as a coordinator see them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Final

import structlog
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.delivery import delivery_info
from shared.adapters.nats.direct import Delivery
from shared.adapters.nats.mailbox import Mailbox
from shared.adapters.nats.publisher import RESENT
from shared.adapters.nats.pull import StandingPull
from shared.contracts import subjects
from shared.contracts.tasks import Task

log = structlog.get_logger()

ACK_WAIT_S: Final = 15.0
"""A task whose runner is silent for this long goes to another one."""
AGAIN_S: Final = 0.5
GONE_S: Final = 3_600.0
"""The server forgets the queue of an agent that has not asked for so long. Tasks in it were settled
as orphans long before, and it is made anew when the agent comes back."""


class NatsTaskDelivery:
    """One task, until acknowledged."""

    def __init__(self, bus: Bus, message: Delivery) -> None:
        info = delivery_info(message.reply)
        self._bus = bus
        self._reply = message.reply
        self.payload = message.data
        self.resent = message.header(RESENT) is not None
        self.deliveries = info.deliveries
        self.age_ms = max(0, time.time_ns() // 1_000_000 - info.at_ms)
        self.task = _parse(message)

    async def acknowledge(self) -> None:
        """The task is done with."""
        await _answer(self._bus, self._reply, "+ACK")

    async def in_progress(self) -> None:
        """Still working on it."""
        await _answer(self._bus, self._reply, "+WPI")

    async def hand_back(self, delay_s: float = 0) -> None:
        """Give it to another runner."""
        delay = f' {{"delay": {int(delay_s * 1e9)}}}' if delay_s else ""
        await _answer(self._bus, self._reply, "-NAK" + delay)


async def _answer(bus: Bus, reply: str, text: str) -> None:
    """Without harm if it is lost: the task is delivered again, and found to be done or held."""
    try:
        await bus.client.publish(reply, text.encode())
    except (NatsError, OSError) as error:
        log.info("not sent", answer=text, error=str(error) or type(error).__name__)


def _parse(message: Delivery) -> Task | None:
    try:
        return Task.model_validate_json(message.data)
    except ValidationError as error:
        log.warning("task cannot be read", subject=message.subject, reason=str(error)[:500])
        return None


class NatsTaskFeed:
    """Pulls from every pool of one agent, for as many tasks as it has free slots.

    Each pool is asked for as many as there are free slots, since the others may be empty. What
    comes beyond goes back at once, so that no task waits here while another agent is free.
    """

    def __init__(
        self,
        bus: Bus,
        agent: str,
        capabilities: Sequence[str],
        *,
        slots: int,
        pools: Sequence[str] = (),
        ack_wait_s: float = ACK_WAIT_S,
        gone_s: float = GONE_S,
    ) -> None:
        """The pools are those of the agent, unless others are named."""
        self._bus = bus
        self._pools = list(pools) or [
            subjects.pool_any(),
            *dict.fromkeys(subjects.pool_capability(c) for c in capabilities),
            subjects.pool_host(agent),
        ]
        self._own = subjects.pool_host(agent)
        self._gone_s = gone_s
        self._slots = slots
        self._in_hand = 0
        self._ack_wait_s = ack_wait_s
        self._mailbox: Mailbox[Delivery] = Mailbox(slots)
        self._pulls: dict[str, StandingPull] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Make the pools' consumers where they are missing, and begin to pull."""
        for pool in self._pools:
            await self._pull_from(pool)

    async def take(self, limit: int) -> Sequence[NatsTaskDelivery]:
        """Wait for at least one task, then give what is there; nothing once it is closed."""
        messages: list[Delivery] = []
        while not messages and not self._closed:
            messages = await self._mailbox.take(limit)
        if self._closed:
            await asyncio.sleep(0)  # whoever takes in a loop can be cancelled
        return [NatsTaskDelivery(self._bus, message) for message in messages]

    async def done(self, count: int = 1) -> None:
        """Slots are free again: pull for more."""
        self._in_hand = max(0, self._in_hand - count)
        for pull in list(self._pulls.values()):
            await pull.more_room()

    async def close(self) -> None:
        """Ask for no more; what came and was not taken goes to others at once."""
        if self._closed:
            return
        self._closed = True
        for pull in self._pulls.values():
            await pull.close()
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for message in self._mailbox.close():
            await _answer(self._bus, message.reply, "-NAK")

    async def _pull_from(self, pool: str) -> None:
        consumer = subjects.pool_consumer(pool)
        await self._bus.jetstream.add_consumer(
            subjects.TASKS,
            ConsumerConfig(
                durable_name=consumer,
                filter_subject=f"hive.task.{pool}.>",
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._ack_wait_s,
                max_ack_pending=100_000,
                max_waiting=2_048,
                inactive_threshold=self._gone_s if pool == self._own else None,
            ),
        )
        pull = StandingPull(
            self._bus,
            subjects.TASKS,
            consumer,
            room=lambda: 0 if self._closed else max(0, self._slots - self._in_hand),
            on_message=self._arrived,
            on_closed=lambda: self._run(self._pull_again(pool)),
        )
        self._pulls[pool] = pull
        await pull.start()

    async def _pull_again(self, pool: str) -> None:
        """The pool's consumer is gone: make it anew, as soon as the server can."""
        log.warning("task consumer was deleted, making it anew", pool=pool)
        while not self._closed:
            try:
                await self._pull_from(pool)
            except (NatsError, TimeoutError, OSError) as error:
                log.info("not made", pool=pool, error=str(error) or type(error).__name__)
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def _arrived(self, message: Delivery) -> None:
        if self._in_hand >= self._slots:
            self._run(_answer(self._bus, message.reply, "-NAK"))
            return
        self._in_hand += 1
        self._mailbox.put(message)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
