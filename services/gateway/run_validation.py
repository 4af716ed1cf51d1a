"""Looks at runs that the engine itself asked for: those of schedules and rules, and calls.

The engine puts each into a queue that all gateways share, and waits for the answer in its journal.

* What needs the validator is tried again until one answers, for a while; then it is refused: a
  level is never quietly lowered.
* While a server is away it is tried again until it is back.
* What fails otherwise is a defect: after a few times the run is refused, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from services.gateway.webhooks.loops import Loop
from shared.contracts.run_validation import STEP, RunToValidate, run_of
from shared.contracts.tasks import Task
from shared.ports.tasks import TaskDelivery, TaskFeed
from shared.ports.validator import ValidatorAwayError
from shared.runtime.patience import MOST_FAILURES, Patience
from shared.workflow.messages import RunValidated

log = structlog.get_logger()

SLOTS: Final = 8
"""Runs that one gateway looks at side by side."""
AGAIN_S: Final = 0.5
LATER_S: Final = 2.0
BEAT_S: Final = 5.0
WITHOUT_VALIDATOR_MS: Final = 5 * 60_000
"""For so long a run waits for a validator that does not answer."""

Look = Callable[[RunToValidate], Awaitable[RunValidated]]
OutageOf = Callable[[BaseException], str | None]


class Appends(Protocol):
    """Where answers go."""

    async def append(self, execution_id: str, message: RunValidated, message_id: str) -> bool:
        """Store a message about an execution durably."""
        ...


class RunValidation:
    """Takes runs from the queue, and says what was found."""

    def __init__(
        self, feed: TaskFeed, journal: Appends, look: Look, outage_of: OutageOf, slots: int = SLOTS
    ) -> None:
        self._feed = feed
        self._journal = journal
        self._look = look
        self._outage_of = outage_of
        self._slots = slots
        self._patience = Patience()
        self._jobs: set[asyncio.Task[None]] = set()
        self._loop = Loop("runs to validate", self._turn)
        self.count: Callable[[str], None] = _uncounted
        """Called with what became of each run: one of `metrics.RUN_VALIDATIONS`."""

    def start(self) -> None:
        """Take runs from now on."""
        self._loop.start()

    async def close(self) -> None:
        """Take no more, and leave what is in hand to others."""
        await self._feed.close()
        await self._loop.close()
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def deal_with(self, delivery: TaskDelivery) -> None:
        """Answer for one run; what cannot be answered now comes again."""
        task = delivery.task
        run = _readable(task) if task is not None and task.step == STEP else None
        if task is None or run is None:
            await delivery.acknowledge()
            return
        beat = asyncio.create_task(_beat(delivery))
        try:
            await self._answer(delivery, run, await self._looked(run, delivery))
        except Exception as error:
            await self._failed(delivery, run, error)
        finally:
            beat.cancel()

    async def _looked(self, run: RunToValidate, delivery: TaskDelivery) -> RunValidated:
        if not run.template_version:
            return RunValidated(refused="what is to be looked at cannot be read")
        try:
            return await self._look(run)
        except ValidatorAwayError as error:
            if delivery.age_ms < WITHOUT_VALIDATOR_MS:
                raise
            minutes = WITHOUT_VALIDATOR_MS // 60_000
            reason = f"no validator answered for {minutes} minutes ({error}), and its template"
            return RunValidated(refused=f"{reason} asks for what only a validator can tell")

    async def _answer(
        self, delivery: TaskDelivery, run: RunToValidate, answer: RunValidated
    ) -> None:
        """Say what was found. Another answer for the same run is dropped where it arrives."""
        await self._journal.append(run.execution_id, answer, f"v.{run.execution_id}")
        self._patience.answered(run.execution_id)
        outcome = _outcome(answer)
        log.info("run validated", execution=run.execution_id, outcome=outcome)
        self.count(outcome)
        await delivery.acknowledge()

    async def _failed(self, delivery: TaskDelivery, run: RunToValidate, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:500]
        away = isinstance(error, OSError | ValidatorAwayError) or self._outage_of(error) is not None
        tries = 0 if away else self._patience.failed(run.execution_id)
        log.warning("run is looked at again", execution=run.execution_id, tries=tries, error=said)
        if tries < MOST_FAILURES:
            await delivery.hand_back(LATER_S if away else AGAIN_S)
            return
        log.error("run cannot be looked at", execution=run.execution_id, exc_info=error)
        reason = f"looking at it failed {tries} times, which is a defect of the gateway ({said})"
        try:
            await self._answer(delivery, run, RunValidated(refused=reason))
        except Exception as unsaid:
            log.warning("not said yet", execution=run.execution_id, error=str(unsaid)[:500])
            await delivery.hand_back(LATER_S)

    async def _turn(self) -> None:
        await self._feed.start()
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


def _readable(task: Task) -> RunToValidate:
    """What a task asks for; where that cannot be read, at least of which execution."""
    try:
        return run_of(task)
    except ValueError as error:
        log.warning("run cannot be read", execution=task.execution_id, reason=str(error)[:500])
        return RunToValidate(
            execution_id=task.execution_id, template_id=task.template_id, template_version=""
        )


def _outcome(answer: RunValidated) -> str:
    if answer.refused:
        return "refused"
    wanted = answer.verdict is not None and answer.verdict.decision == "approve"
    return "approval" if wanted else "passed"


def _uncounted(_outcome: str) -> None:
    pass


async def _beat(delivery: TaskDelivery) -> None:
    while True:
        await asyncio.sleep(BEAT_S)
        await delivery.in_progress()
