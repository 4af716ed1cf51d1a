"""The runner of one agent.

The story of a task: delivered, claimed in the journal, granted by the coordinator, run, reported to
the journal, acknowledged. One that changes nothing is claimed only when it has run for a moment.
While it is held, the queue hears every few seconds that it is being worked on; a runner that dies
falls silent, and its tasks go to others, who find the claim and report them lost.

The end: ask for no more, hand back what is not started, let the rest finish within a grace period,
then stop it and report that, withdraw from the directory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from services.executor.runner.attempt import Workbench, run_attempt
from services.executor.runner.claiming import Claims, LateClaim, Verdict
from services.executor.runner.identity import Held, Key, key_of
from services.executor.runner.progress import Progress
from services.executor.runner.redaction import Redaction
from services.executor.runner.reports import Reporter
from services.executor.runner.starts import Starts
from shared.contracts.claims import ClaimQuestion
from shared.contracts.tasks import StopOrder
from shared.ports.journal import Journal
from shared.ports.logs import LogSink
from shared.ports.orders import Orders
from shared.ports.tasks import TaskDelivery, TaskFeed
from shared.runtime.clock import elapsed_s
from shared.runtime.meters import RunnerMeter
from shared.workflow.messages import AttemptDeferred, AttemptFinished

log = structlog.get_logger()

TAKE: Final = 64
HEARTBEAT_S: Final = 4.0
STOP_GRACE_S: Final = 10.0


class Runner:
    """Takes tasks of one agent's pools and runs them, at most `slots` at a time."""

    def __init__(
        self,
        *,
        workbench: Workbench,
        feed: TaskFeed,
        journal: Journal,
        orders: Orders,
        logs: LogSink,
        slots: int,
        meter: RunnerMeter,
        elapsed_s: Callable[[], float] = elapsed_s,
    ) -> None:
        self._workbench = workbench
        self._feed = feed
        self._journal = journal
        self._orders = orders
        self._logs = logs
        self._meter = meter
        self._claims = Claims(
            journal,
            orders,
            workbench.agent,
            workbench.host,
            on_lost=meter.lost.inc,
            elapsed_s=elapsed_s,
        )
        self._reporter = Reporter(workbench.agent, workbench.host, workbench.output_limit_bytes)
        self._starts = Starts(elapsed_s)
        self._free = asyncio.Semaphore(slots)
        self._held: dict[Key, Held] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def running(self) -> int:
        """How many tasks run now."""
        return sum(held.running for held in self._held.values())

    @property
    def loops(self) -> Sequence[asyncio.Task[None]]:
        """What must run for as long as this runner does."""
        return self._loops

    def holds(self, question: ClaimQuestion) -> bool:
        """Whether this runner is at that attempt."""
        held = self._held.get(key_of(question))
        return held is not None and (held.running or held.claimed)

    async def start(self) -> None:
        """Begin to take tasks."""
        await self._orders.on_stop(self._stop)
        await self._orders.on_decided(self._workbench.agent, self._claims.decisions.take)
        await self._orders.answer_holds(self._workbench.agent, self.holds)
        self._loops = [
            asyncio.create_task(self._take(), name="take"),
            asyncio.create_task(self._heartbeat(), name="heartbeat"),
        ]

    async def close(self, grace_s: float) -> None:
        """End; see the module's story. `grace_s` is what running tasks get to finish."""
        self._closing = True
        await self._feed.close()
        take, heartbeat = self._loops
        take.cancel()
        for held in self._held.values():
            held.shutting_down = True
            self._free.release()  # whatever waits for a slot is handed back now
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=grace_s)
        for held in self._held.values():
            held.cancelled.set()
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=STOP_GRACE_S)
        for job in self._jobs:
            job.cancel()
        heartbeat.cancel()

    async def _take(self) -> None:
        while True:
            for delivery in await self._feed.take(TAKE):
                self._hold(delivery)

    def _hold(self, delivery: TaskDelivery) -> None:
        job = asyncio.create_task(self._work(delivery))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _work(self, delivery: TaskDelivery) -> None:
        try:
            task = delivery.task
            if task is None:
                await delivery.acknowledge()  # said in the log where it was read
                return
            held = Held(delivery, task)
            if held.key in self._held:
                await delivery.hand_back(HEARTBEAT_S)  # another copy of what is in hand
                return
            self._held[held.key] = held
            try:
                async with self._free:
                    await self._claim_and_run(held)
            finally:
                self._held.pop(held.key, None)
        except Exception:
            self._meter.errors.count("internal")
            log.exception("task could not be handled")
        finally:
            await self._feed.done()

    async def _claim_and_run(self, held: Held) -> None:
        if self._closing:
            await held.delivery.hand_back()
            return
        wait_s = self._starts.take(held.task)
        if wait_s > 0:
            await held.delivery.hand_back(wait_s)
            return
        if held.task.must_claim or held.in_doubt:
            verdict = await self._claims.claim(held)
            if verdict is Verdict.RUN:
                await self._report(held, await self._run(held))
            else:
                self._starts.give_back(held.task)
        else:
            verdict = await self._run_unclaimed(held)
        if verdict is not Verdict.BACK:
            await held.delivery.acknowledge()

    async def _run_unclaimed(self, held: Held) -> Verdict:
        """Run what changes nothing without asking; claim it only if it takes a while.

        Of two runners that got it, one is told by its claim to leave it, or its report comes
        second and is ignored.
        """
        late = LateClaim(self._claims, held)
        try:
            report = await self._run(held)
        finally:
            late.stop()
        verdict = await late.verdict()
        if verdict is Verdict.RUN:
            await self._report(held, report)
        return verdict

    async def _run(self, held: Held) -> AttemptFinished | AttemptDeferred:
        held.running = True
        clock = self._workbench.clock
        started_ms = clock.now_ms()
        redaction = Redaction(self._workbench.sealer, held.task.sensitive)
        progress = Progress(held, self._workbench.agent, self._logs, clock, redaction)
        with self._meter.running.track_inprogress():
            outcome = await run_attempt(self._workbench, held, progress, redaction)
        await progress.close()
        finished_ms = clock.now_ms()
        report = self._reporter.report(held, outcome, redaction, (started_ms, finished_ms))
        self._meter.ended(held.task.command, _word(report), (finished_ms - started_ms) / 1000)
        return report

    async def _report(self, held: Held, report: AttemptFinished | AttemptDeferred) -> None:
        await self._journal.append(held.task.execution_id, report, f"r.{held.name}")

    def _stop(self, order: StopOrder) -> None:
        held = self._held.get(key_of(order))
        if held is not None and order.agent in ("", self._workbench.agent):
            held.cancelled.set()

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for held in list(self._held.values()):
                with contextlib.suppress(OSError):
                    await held.delivery.in_progress()


def _word(report: AttemptFinished | AttemptDeferred) -> str:
    return report.outcome if isinstance(report, AttemptFinished) else "deferred"
