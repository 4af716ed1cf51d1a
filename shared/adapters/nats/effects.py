"""What the coordinator decided, carried out on JetStream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from datetime import UTC, datetime

import structlog

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.publisher import RESENT, Publisher, RefusedError, Stored
from shared.contracts import subjects
from shared.contracts.events import PublicEvent
from shared.contracts.tasks import StopOrder, Task
from shared.ports.journal import TimerOrder
from shared.workflow.messages import JOURNAL_MESSAGE, JournalMessage

log = structlog.get_logger()


class NatsEffects:
    """Collects effects and sends them through a `Publisher`."""

    def __init__(
        self, bus: Bus, publisher: Publisher, partitions: int = subjects.PARTITIONS
    ) -> None:
        self._bus = bus
        self._publisher = publisher
        self._partitions = partitions
        self._durable: list[asyncio.Future[Stored]] = []
        self._orders: list[tuple[str, bytes]] = []

    def task(self, pool: str, task: Task, *, again: bool) -> None:
        """Offer a task to a pool of agents; `again` marks it as perhaps not the first copy."""
        self._publish(
            subjects.TASKS,
            subjects.task(pool, task.execution_id, task.step, task.attempt, task.leg),
            task.model_dump_json(exclude_defaults=True).encode(),
            f"t.{task.execution_id}.{task.step}.{task.attempt}.{task.leg}",
            {RESENT: "1"} if again else None,
        )

    def event(self, event: PublicEvent) -> None:
        """Publish a fact."""
        self._publish(
            subjects.EVENTS,
            subjects.event(event.type, event.execution_id or event.id),
            event.model_dump_json(exclude_none=True).encode(),
            event.id,
        )

    def timer(self, order: TimerOrder) -> None:
        """Set a durable timer: a scheduled message into the execution's own journal."""
        partition = subjects.partition_of(order.execution_id, self._partitions)
        due = datetime.fromtimestamp(order.due_ms / 1000, UTC)
        self._publish(
            subjects.journal_stream(partition),
            subjects.timer(partition, order.execution_id, order.name),
            order.payload,
            f"timer.{order.execution_id}.{order.name}.{order.due_ms}",
            {
                "Nats-Schedule": f"@at {due.isoformat(timespec='milliseconds')}".replace(
                    "+00:00", "Z"
                ),
                "Nats-Schedule-Target": subjects.journal(partition, order.execution_id),
            },
        )

    def clear_timer(self, execution_id: str, name: str) -> None:
        """Forget a timer, as far as it has not fired."""
        partition = subjects.partition_of(execution_id, self._partitions)
        self._purge(
            subjects.journal_stream(partition), subjects.timer(partition, execution_id, name)
        )

    def append(self, execution_id: str, message: JournalMessage, message_id: str) -> None:
        """State a fact in the journal."""
        partition = subjects.partition_of(execution_id, self._partitions)
        self._publish(
            subjects.journal_stream(partition),
            subjects.journal(partition, execution_id),
            JOURNAL_MESSAGE.dump_json(message),
            message_id,
        )

    def stop(self, order: StopOrder) -> None:
        """Tell the agents to stop an attempt."""
        self._orders.append((subjects.control_all("stop"), order.model_dump_json().encode()))

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
        durable, self._durable = self._durable, []
        orders, self._orders = self._orders, []
        return asyncio.ensure_future(self._sent(durable, orders))

    async def _sent(
        self, durable: list[asyncio.Future[Stored]], orders: list[tuple[str, bytes]]
    ) -> None:
        for subject, payload in orders:
            await self._bus.client.publish(subject, payload)
        for future in durable:
            try:
                await future
            except RefusedError as error:
                log.error("refused by the server", reason=str(error))  # noqa: TRY400

    def _publish(
        self,
        stream: str,
        subject: str,
        payload: bytes,
        message_id: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._durable.append(self._publisher.publish(stream, subject, payload, message_id, headers))

    def _purge(self, stream: str, subject: str) -> None:
        """Without waiting: what stays behind is ignored by the engine, and only takes room."""
        request = json.dumps({"filter": subject}).encode()
        self._orders.append((f"$JS.API.STREAM.PURGE.{stream}", request))
