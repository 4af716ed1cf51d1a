"""Takes what the engine asks for from the queue, at least once each, and answers in the journal."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from services.rollback.desk import Desk
from services.rollback.pasts import NotYetError
from shared.contracts.rollbacks import AccountOrder, PlanOrder, order_of
from shared.ports.tasks import TaskDelivery, TaskFeed
from shared.rollback.messages import Accounted, PlanMade, PlanRefused
from shared.runtime.meters import RollbackMeter
from shared.workflow.messages import Message

log = structlog.get_logger()

AGAIN_S: Final = 0.2
LATER_S: Final = 2.0
BEAT_S: Final = 5.0


class Appends(Protocol):
    """Where answers go."""

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message about a rollback durably."""
        ...


class Worker:
    """Works on at most `slots` orders at once."""

    def __init__(
        self, feed: TaskFeed, journal: Appends, desk: Desk, meter: RollbackMeter, slots: int
    ) -> None:
        self._feed = feed
        self._journal = journal
        self._desk = desk
        self._meter = meter
        self._slots = slots
        self._jobs: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    @property
    def loop(self) -> asyncio.Task[None]:
        """What ends only when the worker does. Raises `RuntimeError` before `start`."""
        if self._loop is None:
            raise RuntimeError("not started")
        return self._loop

    def start(self) -> None:
        """Take orders from now on."""
        self._loop = asyncio.create_task(self._take(), name="rollback-orders")

    async def close(self) -> None:
        """Take no more, and leave what is in hand to others."""
        await self._feed.close()
        tasks = [*self._jobs, *([self._loop] if self._loop is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def deal_with(self, delivery: TaskDelivery) -> None:
        """Answer one order; what cannot be answered now comes again."""
        order = self._order(delivery)
        if order is None:
            await delivery.acknowledge()
            return
        beat = asyncio.create_task(_beat(delivery))
        try:
            answer = await self._desk.answer(order)
            message_id = f"rbp.{order.rollback_id}.{order.number}.{order.work}"
            await self._journal.append(order.rollback_id, answer, message_id)
        except NotYetError as error:
            log.info("rollback waits", rollback=order.rollback_id, reason=str(error))
            await delivery.hand_back(AGAIN_S)
        except Exception as error:
            self._meter.errors.count("internal")
            log.warning(
                "rollback order is tried again",
                rollback=order.rollback_id,
                work=order.work,
                error=f"{type(error).__name__}: {error}"[:500],
            )
            await delivery.hand_back(LATER_S)
        else:
            log.info("rollback", rollback=order.rollback_id, number=order.number, did=answer.type)
            self._count(answer)
            await delivery.acknowledge()
        finally:
            beat.cancel()

    def _count(self, answer: PlanMade | PlanRefused | Accounted) -> None:
        if isinstance(answer, Accounted):
            self._meter.accounted(len(answer.done), len(answer.left))
        else:
            made = isinstance(answer, PlanMade)
            left = len(answer.left) if isinstance(answer, PlanMade) else 0
            self._meter.planned(made=made, left=left)

    def _order(self, delivery: TaskDelivery) -> PlanOrder | AccountOrder | None:
        if delivery.task is None:
            return None
        try:
            return order_of(delivery.task)
        except ValueError as error:
            log.warning("rollback order cannot be read", reason=str(error)[:500])
            return None

    async def _take(self) -> None:
        while True:
            for delivery in await self._feed.take(self._slots):
                job = asyncio.create_task(self._one(delivery))
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)

    async def _one(self, delivery: TaskDelivery) -> None:
        try:
            await self.deal_with(delivery)
        finally:
            await self._feed.done()


async def _beat(delivery: TaskDelivery) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        await delivery.in_progress()
