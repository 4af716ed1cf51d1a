"""The agent's side of the hive: answers questions, keeps broadcasts and bundles, catches up.

An agent that was away asks on its return, and every `CATCH_UP_S` seconds, for the broadcasts it has
not acknowledged, and brings the bundles it holds to their current version.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from services.executor.facts import FactFinder
from services.executor.prechecks import Prechecks
from services.executor.received import ReceivedBroadcasts
from services.executor.synced import SyncedBundles
from shared.contracts import control
from shared.contracts.agents import AgentRecord
from shared.contracts.collective import Acknowledgement, Broadcast
from shared.contracts.sync import HeldBundle
from shared.ports.bundles import Bundles
from shared.ports.clock import Clock
from shared.ports.collective import Broadcasts
from shared.ports.control import ControlSeat

log = structlog.get_logger()

CATCH_UP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Possessions:
    """What an agent keeps and knows, and what it would do."""

    received: ReceivedBroadcasts
    synced: SyncedBundles
    facts: FactFinder
    prechecks: Prechecks


class Responder:
    """Answers for one agent. `record` says what the agent announces of itself."""

    def __init__(
        self,
        *,
        agent: str,
        record: Callable[[], AgentRecord],
        seat: ControlSeat,
        possessions: Possessions,
        broadcasts: Broadcasts,
        bundles: Bundles,
        clock: Clock,
    ) -> None:
        self._agent = agent
        self._record = record
        self._seat = seat
        self._mine = possessions
        self._broadcasts = broadcasts
        self._bundles = bundles
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer from now on, and catch up in the background."""
        await self._seat.answer(control.STATUS, self.status)
        await self._seat.answer(control.FACTS, self.facts)
        await self._seat.answer(control.BROADCAST, self.broadcast)
        await self._seat.answer(control.SYNC, self.sync)
        await self._seat.answer(control.PRECHECK, self._mine.prechecks.answer)
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Answer no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._seat.close()

    async def status(self, _question: control.StatusQuestion) -> control.StatusAnswer:
        """How this agent is, measured now."""
        known = await asyncio.to_thread(self._mine.synced.known)
        return control.StatusAnswer(
            record=self._record(),
            broadcasts_kept=await asyncio.to_thread(self._mine.received.count),
            bundles={name: number for name, number in known.items() if number is not None},
        )

    async def facts(self, question: control.FactsQuestion) -> control.FactsAnswer:
        """What it is like here."""
        found = await asyncio.to_thread(self._mine.facts.find, question.topics, question.processes)
        return control.FactsAnswer(facts=found)

    async def broadcast(self, notice: control.BroadcastNotice) -> control.BroadcastReceipt:
        """Keep a message; the receipt is given when it is on disk."""
        return control.BroadcastReceipt(acknowledgement=await self._keep_one(notice.broadcast))

    async def sync(self, order: control.SyncOrder) -> control.SyncReport:
        """Bring versions to the disk, or say what is there."""
        held: list[HeldBundle] = []
        for version in order.versions:
            if order.apply:
                held.append(await self._mine.synced.apply(version, rewrite=order.rewrite))
            else:
                held.append(await self._mine.synced.report(version))
        return control.SyncReport(bundles=tuple(held))

    async def catch_up(self) -> None:
        """Get what was missed: broadcasts, and newer versions of the bundles that are held."""
        for missed in await self._broadcasts.missed(self._agent, self._clock.now_ms()):
            receipt = await self._keep_one(missed)
            await self._broadcasts.acknowledge(missed.id, [receipt])
            log.info("broadcast received late", broadcast=missed.id)
        for name, number in (await asyncio.to_thread(self._mine.synced.known)).items():
            bundle = await self._bundles.get(name)
            current = bundle.version(bundle.current) if bundle is not None else None
            if current is not None and current.version != number:
                held = await self._mine.synced.apply(current)
                log.info("bundle brought up to date", bundle=name, version=held.version)

    async def _keep_one(self, broadcast: Broadcast) -> Acknowledgement:
        await asyncio.to_thread(self._mine.received.keep, broadcast)
        log.info(
            "broadcast",
            severity=broadcast.severity.value,
            category=broadcast.category,
            message=broadcast.message[:200],
        )
        return Acknowledgement(agent=self._agent, at_ms=self._clock.now_ms())

    async def _keep(self) -> None:
        while True:
            try:
                await self.catch_up()
            except Exception as error:
                # Whatever is away now may be back at the next round.
                log.info("not caught up now", error=str(error) or type(error).__name__)
            await asyncio.sleep(CATCH_UP_S)
