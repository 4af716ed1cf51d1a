"""Claiming: before anything is run, the runner states in the journal that it wants to start it, and
waits for the coordinator's decision (its law: `grant`).

The journal takes a claim once (by message id), so of two runners with the same task one starts it.
That holds for a task that is young, offered and delivered for the first time. Anything else is a
doubt: an earlier delivery may have started it. Then the coordinator is asked, who knows them all.

* `start`: nobody claimed it. Claim it.
* `running` by an agent: if that agent says it is at it, leave it to it; if it stays silent for
  longer than it may rely on a grant, the attempt is lost.
* `drop`: it is over, or not wanted any more.
* `wait`: nobody knows now; hand the task back and see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Final

import structlog

from services.executor.runner.decisions import Decisions
from services.executor.runner.grant import OUTLAST_S, Grant
from services.executor.runner.identity import Held
from shared.contracts.claims import ClaimQuestion
from shared.ports.journal import Journal
from shared.ports.orders import Orders
from shared.runtime.clock import elapsed_s
from shared.workflow.messages import AttemptLost, AttemptStarted

log = structlog.get_logger()

MOMENT_S: Final = 0.05
"""What changes nothing is claimed when it has run for so long."""
DECISION_S: Final = 2.0
"""How long a decision about a claim may take before the runner asks for it."""
ASK_AGAIN_S: Final = 1.0
RENEWALS: Final = 60
"""How often a grant that has run out is asked for anew before the attempt is given up."""
LEAVE_S: Final = 10.0


class Verdict(Enum):
    """What to do with a delivered task."""

    RUN = "run"
    DONE = "done"
    """Acknowledge it: there is nothing to run."""
    BACK = "back"
    """Hand it back; it was delivered to nobody's use."""


class Claims:
    """Claims tasks for one agent."""

    def __init__(
        self,
        journal: Journal,
        orders: Orders,
        agent: str,
        host: str,
        *,
        on_lost: Callable[[], None] = lambda: None,
        elapsed_s: Callable[[], float] = elapsed_s,
    ) -> None:
        self.decisions = Decisions()
        self._elapsed_s = elapsed_s
        self._journal = journal
        self._orders = orders
        self._agent = agent
        self._host = host
        self._on_lost = on_lost

    async def claim(self, held: Held) -> Verdict:
        """Find out whether this runner may start a task, and claim it."""
        if held.in_doubt:
            return await self._resolve(held, duplicate=False)
        return await self._claimed(held) or await self._resolve(held, duplicate=True)

    async def _claimed(self, held: Held) -> Verdict | None:
        """Claim it, and wait for the decision; `None` when it was claimed before."""
        held.claimed = True
        since_s = self._elapsed_s()
        with self.decisions.awaited(held.key) as decision:
            if not await self._state(held):
                held.claimed = False
                return None
            await asyncio.wait({decision}, timeout=DECISION_S)
            if decision.done():
                decided = decision.result()
                if not decided.granted:
                    return Verdict.DONE
                if self._grant(held, decided.fence, since_s):
                    return Verdict.RUN
        return await self._ask_for_decision(held)

    async def _ask_for_decision(self, held: Held) -> Verdict:
        """The decision went astray, or came too late to rely on."""
        while True:
            since_s = self._elapsed_s()
            answer = await self._orders.ask_claim(held.task.claim_question)
            if answer.verdict == "start":  # the claim itself could not be applied
                await held.delivery.hand_back(ASK_AGAIN_S)
                return Verdict.BACK
            if answer.verdict != "wait" and answer.agent != self._agent:
                return Verdict.DONE
            if answer.verdict == "running" and self._grant(held, answer.fence, since_s):
                if answer.stopping:
                    held.cancelled.set()
                return Verdict.RUN
            await asyncio.sleep(ASK_AGAIN_S)

    async def _renew(self, held: Held) -> None:
        """Ask whether it may still begin, where the grant has run out before it did; again while
        nobody knows, as after an outage."""
        for _ in range(RENEWALS):
            since_s = self._elapsed_s()
            answer = await self._orders.ask_claim(held.task.claim_question)
            if answer.verdict == "running" and answer.agent == self._agent:
                if answer.stopping:
                    held.cancelled.set()
                if self._grant(held, answer.fence, since_s):
                    return
            elif answer.verdict != "wait":
                return
            await asyncio.sleep(ASK_AGAIN_S)

    def _grant(self, held: Held, fence: int, since_s: float) -> bool:
        held.grant = Grant(fence, since_s, self._elapsed_s)
        held.renew = partial(self._renew, held)
        return held.grant.is_good

    async def _state(self, held: Held) -> bool:
        task = held.task
        started = AttemptStarted(
            step=task.step,
            attempt=task.attempt,
            leg=task.leg,
            agent=self._agent,
            host=self._host,
        )
        return await self._journal.append(task.execution_id, started, f"s.{held.name}")

    async def _resolve(self, held: Held, *, duplicate: bool) -> Verdict:
        question = held.task.claim_question
        answer = await self._orders.ask_claim(question)
        log.debug("task in doubt", task=held.name, verdict=answer.verdict, agent=answer.agent)
        if answer.verdict == "drop":
            return Verdict.DONE
        if answer.verdict == "start" and not duplicate:
            verdict = await self._claimed(held)
            if verdict is not None:
                return verdict
        elif answer.verdict == "running":
            return await self._who_runs(held, answer.agent, question)
        await held.delivery.hand_back(ASK_AGAIN_S)
        return Verdict.BACK

    async def _who_runs(self, held: Held, agent: str, question: ClaimQuestion) -> Verdict:
        """Leave it to the agent that claimed it. Even what looks like a second copy of its task is
        kept: it may be the only one, by which somebody finds out that the agent died."""
        delivery = held.delivery
        if await self._is_at_it(agent, question):
            await delivery.hand_back(LEAVE_S)
            return Verdict.BACK
        now = await self._orders.ask_claim(question)
        if now.agent != agent:
            await delivery.hand_back(ASK_AGAIN_S)
            return Verdict.BACK
        await self._lost(held, agent)
        return Verdict.DONE

    async def _is_at_it(self, agent: str, question: ClaimQuestion) -> bool:
        """Whether its agent says so; one that is silent is given time to let its grant run out."""
        if agent == self._agent:
            return False
        return await self._orders.ask_holds(agent, question, silence_s=OUTLAST_S)

    async def _lost(self, held: Held, agent: str) -> None:
        task = held.task
        reason = f"agent {agent} had started it and does not run it any more"
        lost = AttemptLost(
            step=task.step, attempt=task.attempt, leg=task.leg, agent=agent, reason=reason
        )
        self._on_lost()
        await self._journal.append(task.execution_id, lost, f"l.{held.name}")


class LateClaim:
    """The claim of a task that is being run already: stated when it has run for a moment.

    Most of what changes nothing is over by then, and its report says all that a claim would have.
    If the claim fails, what runs is stopped.
    """

    def __init__(self, claims: Claims, held: Held) -> None:
        self._claims = claims
        self._held = held
        self._claiming: asyncio.Task[Verdict] | None = None
        self._due = asyncio.get_running_loop().call_later(MOMENT_S, self._begin)

    def stop(self) -> None:
        """It has run: state no claim any more."""
        self._due.cancel()

    async def verdict(self) -> Verdict:
        """Once it has run: whether its report counts."""
        return Verdict.RUN if self._claiming is None else await self._claiming

    def _begin(self) -> None:
        self._claiming = asyncio.create_task(self._claim())

    async def _claim(self) -> Verdict:
        verdict = await self._claims.claim(self._held)
        if verdict is not Verdict.RUN:
            self._held.cancelled.set()
        return verdict
