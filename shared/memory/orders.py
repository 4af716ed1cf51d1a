"""Orders and questions in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from shared.contracts import subjects
from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimQuestion
from shared.contracts.tasks import StopOrder
from shared.memory.bus import MemoryBus
from shared.memory.faults import Action, OutageError

AGAIN_S: Final = 0.5
"""How often a silent agent is asked again."""


class MemoryOrders:
    """Orders and questions over the bus, answered at once."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    async def on_stop(self, handle: Callable[[StopOrder], None]) -> None:
        """Call `handle` for every order to stop."""
        self._bus.listeners.stop.append(handle)

    async def on_decided(self, agent: str, handle: Callable[[ClaimDecision], None]) -> None:
        """Call `handle` for every decision about this agent's claims."""
        self._bus.listeners.decided[agent] = handle

    async def answer_holds(self, agent: str, holds: Callable[[ClaimQuestion], bool]) -> None:
        """Answer whether this agent is running an attempt."""
        self._bus.listeners.holds[agent] = holds

    async def ask_holds(self, agent: str, question: ClaimQuestion, *, silence_s: float = 0) -> bool:
        """True when that agent answers that it is running the attempt."""
        until = asyncio.get_running_loop().time() + silence_s
        while (answer := await self._asked(agent, question)) is None:
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(left_s, AGAIN_S))
        return answer

    async def _asked(self, agent: str, question: ClaimQuestion) -> bool | None:
        """What the agent says; `None` when it says nothing."""
        try:
            await self._bus.faults.before(Action.ASK, agent)
        except OutageError:
            return None
        holds = self._bus.listeners.holds.get(agent)
        return None if holds is None else holds(question)

    async def answer_claims(
        self, answer: Callable[[int, ClaimQuestion], Awaitable[ClaimAnswer | None]]
    ) -> None:
        """Answer runners in doubt."""
        self._bus.listeners.claims.append(answer)

    async def ask_claim(self, question: ClaimQuestion) -> ClaimAnswer:
        """Ask the coordinator of the execution's partition."""
        try:
            await self._bus.faults.before(Action.ASK, question.execution_id)
        except OutageError:
            return ClaimAnswer(verdict="wait")
        partition = subjects.partition_of(question.execution_id, self._bus.partitions)
        for answer in list(self._bus.listeners.claims):
            given = await answer(partition, question)
            if given is not None:
                return given
        return ClaimAnswer(verdict="wait")

    def leave(self, agent: str) -> None:
        """The agent's process is gone: nobody answers for it."""
        self._bus.listeners.holds.pop(agent, None)
        self._bus.listeners.decided.pop(agent, None)
