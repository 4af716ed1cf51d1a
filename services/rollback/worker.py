"""Takes what the engine asks for from the queue, at least once each, and answers in the journal.

* What is not stored yet, or cannot be read while a server is away, is asked for again until it can.
* What fails otherwise is a defect: it is tried again a few times, then given up with a reason, so
  that the rollback ends, its execution is let go, and people can ask once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

import structlog

from services.rollback.desk import Desk
from services.rollback.pasts import NotYetError
from shared.contracts.rollbacks import AccountOrder, PlanOrder, RollbackOrder, order_of
from shared.contracts.tasks import Task
from shared.ports.captures import CapturesUnavailableError
from shared.ports.tasks import TaskDelivery, TaskFeed
from shared.rollback.messages import Accounted, PlanMade, PlanRefused
from shared.runtime.meters import RollbackMeter
from shared.runtime.patience import MOST_FAILURES, Patience
from shared.workflow.messages import Message

log = structlog.get_logger()

AGAIN_S: Final = 0.2
LATER_S: Final = 2.0
BEAT_S: Final = 5.0


_AWAY: Final = (OSError, CapturesUnavailableError)
Answer = PlanMade | PlanRefused | Accounted
OutageOf = Callable[[BaseException], str | None]
"""The server that is away, where an error says so."""


class Appends(Protocol):
    """Where answers go."""

    async def append(self, execution_id: str, message: Message, message_id: str) -> bool:
        """Store a message about a rollback durably."""
        ...


class Worker:
    """Works on at most `slots` orders at once."""

    def __init__(
        self,
        feed: TaskFeed,
        journal: Appends,
        desk: Desk,
        meter: RollbackMeter,
        slots: int,
        outage_of: OutageOf,
    ) -> None:
        self._outage_of = outage_of
        self._patience = Patience()
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
        order = await self._order(delivery)
        if order is None:
            return
        beat = asyncio.create_task(_beat(delivery))
        try:
            await self._answer(order, await self._desk.answer(order))
        except NotYetError as error:
            log.info("rollback waits", rollback=order.rollback_id, reason=str(error))
            await delivery.hand_back(AGAIN_S)
        except Exception as error:
            await self._failed(delivery, order, error)
        else:
            await delivery.acknowledge()
        finally:
            beat.cancel()

    async def _answer(self, order: RollbackOrder, answer: Answer) -> None:
        """Put an answer into the journal. Another one to the same order is dropped there."""
        message_id = f"rbp.{order.rollback_id}.{order.number}.{order.work}"
        await self._journal.append(order.rollback_id, answer, message_id)
        self._patience.answered(_key(order))
        log.info("rollback", rollback=order.rollback_id, number=order.number, did=answer.type)
        self._count(answer)

    async def _failed(self, delivery: TaskDelivery, order: RollbackOrder, error: Exception) -> None:
        """Try it again later, or give it up."""
        said = f"{type(error).__name__}: {error}"[:500]
        known = {"rollback": order.rollback_id, "work": order.work, "error": said}
        if isinstance(error, _AWAY) or self._outage_of(error) is not None:
            log.warning("rollback order is tried again", **known)
            await delivery.hand_back(LATER_S)
            return
        self._meter.errors.count("internal")
        tries = self._patience.failed(_key(order))
        if tries < MOST_FAILURES:
            log.warning("rollback order is tried again", tries=tries, **known, exc_info=error)
            await delivery.hand_back(min(LATER_S, AGAIN_S * 2**tries))
            return
        log.error("rollback order is given up", tries=tries, **known, exc_info=error)
        await self._give_up(delivery, order, given_up(order, tries, said))

    async def _give_up(
        self, delivery: TaskDelivery, order: RollbackOrder, answer: PlanRefused | Accounted
    ) -> None:
        try:
            await self._answer(order, answer)
        except Exception as error:
            log.warning("not said yet", rollback=order.rollback_id, error=str(error)[:500])
            await delivery.hand_back(LATER_S)
        else:
            self._meter.given_up(order.work)
            await delivery.acknowledge()

    def _count(self, answer: Answer) -> None:
        if isinstance(answer, Accounted):
            self._meter.accounted(len(answer.done), len(answer.left))
        else:
            made = isinstance(answer, PlanMade)
            left = len(answer.left) if isinstance(answer, PlanMade) else 0
            self._meter.planned(made=made, left=left)

    async def _order(self, delivery: TaskDelivery) -> RollbackOrder | None:
        """What is asked for. What cannot be read is refused, and is done with."""
        task = delivery.task
        if task is None:
            await delivery.acknowledge()
            return None
        try:
            return order_of(task)
        except ValueError as error:
            log.exception("rollback order cannot be read")
            await self._refuse(delivery, task, f"its order cannot be read: {error}"[:1_000])
            return None

    async def _refuse(self, delivery: TaskDelivery, task: Task, reason: str) -> None:
        known: dict[str, Any] = {"rollback_id": task.execution_id, "number": task.attempt}
        if task.step == "plan":
            order: RollbackOrder = PlanOrder(**known, strategy="graceful")
            await self._give_up(delivery, order, PlanRefused(number=order.number, reason=reason))
        elif task.step == "account":
            order = AccountOrder(**known, run="", status="")
            await self._give_up(delivery, order, Accounted(number=order.number, left=(reason,)))
        else:
            await delivery.acknowledge()

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


def _key(order: RollbackOrder) -> tuple[str, int, str]:
    return order.rollback_id, order.number, order.work


def given_up(order: RollbackOrder, tries: int, error: str) -> PlanRefused | Accounted:
    """What is answered to an order that fails each time."""
    tail = f"failed {tries} times, which is a defect of the rollback service ({error})"
    if order.work == "account":
        left = f"what {order.run} undid could not be worked out: that {tail}; look at its steps"
        return Accounted(number=order.number, left=(left,))
    reason = f"planning {tail}; nothing was undone: its log tells more, then ask for it again"
    return PlanRefused(number=order.number, reason=reason)


async def _beat(delivery: TaskDelivery) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        await delivery.in_progress()
