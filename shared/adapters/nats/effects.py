"""What the coordinator decided, carried out on JetStream.

Removing (cleared timers, what is left of an ended execution) is a purge of a subject, which the
server may carry out later than messages sent after it. So each purge waits for what was published
before it, and reaches no further than that: a timer set again right after it was cleared stays.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.orders import DECIDED
from shared.adapters.nats.publisher import RESENT, Publisher, RefusedError, Stored
from shared.contracts import subjects
from shared.contracts.claims import ClaimDecision, ClaimDecisions
from shared.contracts.publishing import WireEvent
from shared.contracts.tasks import StopOrder, Task, unplaced
from shared.ports.journal import TimerOrder
from shared.workflow.messages import JOURNAL_MESSAGE, Message

log = structlog.get_logger()

Instead = Callable[[str], Awaitable[Stored]]
"""What to do instead of an effect that the server refuses for the given reason."""


class _Publication(NamedTuple):
    stored: asyncio.Future[Stored]
    instead: Instead | None = None


@dataclass(frozen=True, slots=True)
class _Purge:
    stream: str
    subject: str
    known: int
    """A sequence of the stream that had been reached when the purge was decided."""
    last: asyncio.Future[Stored] | None
    """What was published to the stream before it."""


class NatsEffects:
    """Collects effects and sends them through a `Publisher`."""

    def __init__(
        self, bus: Bus, publisher: Publisher, partitions: int = subjects.PARTITIONS
    ) -> None:
        self._bus = bus
        self._publisher = publisher
        self._partitions = partitions
        self._published: list[_Publication] = []
        self._purges: list[_Purge] = []
        self._orders: list[StopOrder] = []
        self._decisions: dict[str, list[ClaimDecision]] = {}

    def task(self, pool: str, task: Task, *, again: bool) -> None:
        """Offer a task to a pool of agents; `again` marks it as perhaps not the first copy."""
        self._publish(
            subjects.TASKS,
            subjects.task(pool, task.execution_id, task.step, task.attempt, task.leg),
            task.model_dump_json(exclude_defaults=True).encode(),
            f"t.{task.offer_id}",
            headers={RESENT: "1"} if again else None,
            instead=lambda reason: self._unplaced(task, reason),
        )

    def event(self, event: WireEvent) -> None:
        """Publish a fact."""
        self._publish(
            subjects.EVENTS,
            subjects.event(event.type, event.about),
            event.payload,
            event.id,
            instead=lambda reason: self._without_data(event, reason),
        )

    def timer(self, order: TimerOrder) -> None:
        """Set a durable timer: a scheduled message into the execution's own journal."""
        partition = subjects.partition_of(order.execution_id, self._partitions)
        due = datetime.fromtimestamp(order.due_ms / 1000, UTC)
        self._publish(
            subjects.journal_stream(partition),
            subjects.timer(partition, order.execution_id, order.name),
            order.payload,
            # The payload too: cleared and set again for the same time, it is another setting.
            f"timer.{order.execution_id}.{order.name}.{order.due_ms}.{zlib.crc32(order.payload)}",
            headers={
                "Nats-Schedule": f"@at {due:%Y-%m-%dT%H:%M:%S}.{order.due_ms % 1000:03d}Z",
                "Nats-Schedule-Target": subjects.journal(partition, order.execution_id),
            },
        )

    def clear_timer(self, execution_id: str, name: str) -> None:
        """Forget a timer, as far as it has not fired."""
        partition = subjects.partition_of(execution_id, self._partitions)
        self._purge(
            subjects.journal_stream(partition), subjects.timer(partition, execution_id, name)
        )

    def append(self, execution_id: str, message: Message, message_id: str) -> None:
        """State a fact in the journal."""
        partition = subjects.partition_of(execution_id, self._partitions)
        self._publish(
            subjects.journal_stream(partition),
            subjects.journal(partition, execution_id),
            message.model_dump_json().encode(),
            message_id,
        )

    def stop(self, order: StopOrder) -> None:
        """Tell the agents to stop an attempt."""
        self._orders.append(order)

    def decided(self, decision: ClaimDecision) -> None:
        """Tell an agent what became of its claim."""
        self._decisions.setdefault(decision.agent, []).append(decision)

    def withdraw(self, execution_id: str, step: str) -> None:
        """Remove a step's tasks from the queues."""
        self._purge(subjects.TASKS, f"hive.task.*.*.{execution_id}.{step}.>")

    def forget(self, execution_id: str, *, timers: bool, tasks: bool) -> None:
        """Remove what is left of an ended execution."""
        partition = subjects.partition_of(execution_id, self._partitions)
        if timers:
            self._purge(
                subjects.journal_stream(partition), f"hive.timer.{partition}.{execution_id}.>"
            )
        if tasks:
            self._purge(subjects.TASKS, f"hive.task.*.*.{execution_id}.>")

    def commit(self) -> Awaitable[None]:
        """Send what was collected; done when all of it is durable."""
        published, self._published = self._published, []
        purges, self._purges = self._purges, []
        orders, self._orders = self._orders, []
        decisions, self._decisions = self._decisions, {}
        return asyncio.ensure_future(self._sent(published, purges, orders, decisions))

    async def _sent(
        self,
        published: list[_Publication],
        purges: list[_Purge],
        orders: list[StopOrder],
        decisions: dict[str, list[ClaimDecision]],
    ) -> None:
        for order in orders:
            await self._tell(subjects.control_all("stop"), order.model_dump_json())
        for agent, decided in decisions.items():  # after the orders: what is stopped never starts
            together = ClaimDecisions(decisions=tuple(decided)).model_dump_json()
            await self._tell(subjects.control_agent(agent, DECIDED), together)
        for publication in published:
            await _durable(publication)
        for purge in purges:
            await self._carry_out(purge)

    def _publish(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str,
        *,
        headers: dict[str, str] | None = None,
        instead: Instead | None = None,
    ) -> None:
        stored = self._publisher.publish(stream, subject, payload, message_id, headers)
        self._published.append(_Publication(stored, instead))

    def _purge(self, stream: str, subject: str) -> None:
        known, last = self._publisher.newest(stream), self._publisher.last(stream)
        self._purges.append(_Purge(stream, subject, known, last))

    async def _carry_out(self, purge: _Purge) -> None:
        """Without waiting for it: what stays is ignored by the engine, and only takes room."""
        upto = max(purge.known, await _reached(purge.last))
        if upto:
            request = json.dumps({"filter": purge.subject, "seq": upto + 1})
            await self._tell(f"$JS.API.STREAM.PURGE.{purge.stream}", request)

    async def _tell(self, subject: str, text: str) -> None:
        try:
            await self._bus.client.publish(subject, text.encode())
        except (NatsError, OSError) as error:
            log.info("not sent", subject=subject, error=str(error) or type(error).__name__)

    def _unplaced(self, task: Task, reason: str) -> Awaitable[Stored]:
        """A task that the server does not take, for its size, is one that no agent can get."""
        message = unplaced(task, f"task refused: {reason}")
        partition = subjects.partition_of(task.execution_id, self._partitions)
        return self._publisher.publish(
            subjects.journal_stream(partition),
            subjects.journal(partition, task.execution_id),
            JOURNAL_MESSAGE.dump_json(message),
            f"u.{task.offer_id}",
        )

    def _without_data(self, event: WireEvent, reason: str) -> Awaitable[Stored]:
        """An event that is too large is published all the same, and says what it lacks."""
        small = WireEvent.of(event.read().model_copy(update={"data": {"omitted": reason}}))
        return self._publisher.publish(
            subjects.EVENTS, subjects.event(event.type, event.about), small.payload, event.id
        )


async def _durable(publication: _Publication) -> None:
    try:
        await publication.stored
    except RefusedError as error:
        log.warning("effect refused by the server", reason=str(error))
        if publication.instead is not None:
            await publication.instead(str(error))


async def _reached(last: asyncio.Future[Stored] | None) -> int:
    """The sequence of the last message before a purge. One that was sent again may stand behind
    messages that came after the purge, so it tells nothing."""
    if last is None:
        return 0
    await asyncio.wait([last])  # not ours to cancel, and it may have been
    if last.cancelled() or last.exception() is not None:
        return 0
    stored = last.result()
    return 0 if stored.resent else stored.seq
