"""Answers runners in doubt: may this attempt start? (See `shared.contracts.claims`.)"""

from __future__ import annotations

import asyncio
from typing import Final

from services.executor.coordinator.cache import StateCache
from services.executor.coordinator.turns import Turns
from shared.contracts.claims import ClaimAnswer, ClaimQuestion
from shared.contracts.history import StoredState
from shared.ports.journal import JournalReader
from shared.ports.store import ExecutionStore
from shared.workflow.machines.step import STEP_ENDED, StepStatus

CATCH_UP_S: Final = 3.0
_WAIT: Final = ClaimAnswer(verdict="wait")
_DROP: Final = ClaimAnswer(verdict="drop")


class ClaimDesk:
    """Answers for the partitions that this coordinator holds."""

    def __init__(
        self, reader: JournalReader, turns: Turns, cache: StateCache, store: ExecutionStore
    ) -> None:
        self._reader = reader
        self._turns = turns
        self._cache = cache
        self._store = store

    async def answer(self, partition: int, question: ClaimQuestion) -> ClaimAnswer:
        """The answer, once everything that is in the journal now has been applied."""
        try:
            async with asyncio.timeout(CATCH_UP_S):
                newest = await self._reader.last_seq(partition)
                while self._turns.applied.get(partition, 0) < newest:  # noqa: ASYNC110 - rare
                    await asyncio.sleep(0.01)
        except (TimeoutError, OSError):
            return _WAIT
        stored = self._cache.get(question.execution_id)
        if stored is None:
            found = await self._store.load([question.execution_id])
            stored = found.states.get(question.execution_id)
        return _judge(stored, question)


def _judge(stored: StoredState | None, question: ClaimQuestion) -> ClaimAnswer:
    step = stored.state.steps.get(question.step) if stored is not None else None
    if step is None or stored is None or stored.state.ended or step.status in STEP_ENDED:
        return _DROP
    if (step.attempt, step.leg) != (question.attempt, question.leg):
        return _DROP
    if step.status in (StepStatus.RUNNING, StepStatus.STOPPING):
        stopping = step.status is StepStatus.STOPPING
        return ClaimAnswer(verdict="running", agent=step.agent, fence=step.fence, stopping=stopping)
    if step.status in (StepStatus.SCHEDULED, StepStatus.BLOCKED):
        return ClaimAnswer(verdict="start")
    return _DROP
