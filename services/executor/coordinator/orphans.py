"""Orphans: tasks in pools that no live agent serves any more, so that no runner would find them.

An agent can die for good while it runs a task that only it could get, or while one waits for it.
Other runners take the tasks of their own pools from the dead; these here are taken by the
coordinators. Whatever they find, the journal is told, and the engine decides:

* claimed, and its agent does not say that it is at it: lost; `on_lost` decides;
* never claimed: returned; it is offered again, to whoever fits now, and fails as `no_agent` when
  nobody does for as long as the step may wait.

Taking too early does no harm: an agent that lives answers for what it runs, and what was returned
is offered again, as the same leg, of which the journal takes one claim. So a pool need only be
without agents for two rounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from services.executor.placement import served_pools
from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.contracts.tasks import Task
from shared.ports.journal import Journal
from shared.ports.orders import Orders
from shared.ports.tasks import TaskDelivery, TaskPools
from shared.workflow.messages import AttemptLost, AttemptReturned

log = structlog.get_logger()

EVERY_S: Final = 3.0
TAKE: Final = 100
"""Tasks of one pool in one round."""
LEAVE_S: Final = 10.0
"""A task whose agent still runs it is left alone for so long."""
ASK_AGAIN_S: Final = 1.0


_OF_SERVICES: Final = frozenset({subjects.pool_rollback(), subjects.pool_validator()})
"""No agent serves these, and none has to."""


class Orphans:
    """Looks for orphaned tasks every few seconds. Several coordinators may do so at once."""

    def __init__(
        self,
        pools: TaskPools,
        journal: Journal,
        orders: Orders,
        agents: Callable[[], Sequence[AgentRecord]],
    ) -> None:
        self._pools = pools
        self._journal = journal
        self._orders = orders
        self._agents = agents
        self._suspected: frozenset[str] = frozenset()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._keep(), name="orphans")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def round(self) -> None:
        """Settle the tasks of pools that were unserved in the last round too."""
        served = served_pools(self._agents()) | _OF_SERVICES
        unserved = frozenset(await self._pools.occupied()) - served
        for pool in sorted(unserved & self._suspected):
            for delivery in await self._pools.take(pool, TAKE):
                await self._settle(delivery, pool)
        self._suspected = unserved

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.round()
            except (TimeoutError, OSError) as error:
                log.info("no look for orphans now", error=str(error) or type(error).__name__)
            except Exception:
                log.exception("look for orphans failed")

    async def _settle(self, delivery: TaskDelivery, pool: str) -> None:
        task = delivery.task
        if task is None:
            await delivery.acknowledge()  # said in the log where it was read
            return
        question = task.claim_question
        answer = await self._orders.ask_claim(question)
        if answer.verdict == "wait":
            await delivery.hand_back(ASK_AGAIN_S)
        elif answer.verdict == "running" and await self._orders.ask_holds(answer.agent, question):
            await delivery.hand_back(LEAVE_S)
        else:
            if answer.verdict != "drop":
                await self._tell(task, pool, answer.agent)
            await delivery.acknowledge()

    async def _tell(self, task: Task, pool: str, agent: str) -> None:
        """State what became of it; `agent` is who claimed it, if anybody did."""
        place: dict[str, Any] = {"step": task.step, "attempt": task.attempt, "leg": task.leg}
        name = task.leg_id
        log.info("orphaned task", task=name, pool=pool, claimed_by=agent or None)
        if agent:
            reason = f"agent {agent} had started it and is gone"
            lost = AttemptLost(**place, agent=agent, reason=reason)
            await self._journal.append(task.execution_id, lost, f"l.{name}")
        else:
            reason = f"no live agent serves {pool}"
            back = AttemptReturned(**place, offer=task.offer, reason=reason)
            await self._journal.append(task.execution_id, back, f"o.{task.offer_id}")
