"""Orders and questions over plain NATS subjects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.claims import ClaimAnswer, ClaimDecision, ClaimDecisions, ClaimQuestion
from shared.contracts.tasks import StopOrder

log = structlog.get_logger()

HOLDS_S: Final = 2.0
CLAIM_S: Final = 5.0
AGAIN_S: Final = 0.5
"""How often a silent agent is asked again."""
DECIDED: Final = "decided"
_HOLDS: Final = "holds"
_CLAIMS: Final = "claims"


class NatsOrders:
    """Orders to stop, and questions in doubt."""

    def __init__(self, bus: Bus, partitions: int = subjects.PARTITIONS) -> None:
        self._bus = bus
        self._partitions = partitions

    async def on_stop(self, handle: Callable[[StopOrder], None]) -> None:
        """Call `handle` for every order to stop."""

        async def receive(message: Msg) -> None:
            try:
                handle(StopOrder.model_validate_json(message.data))
            except ValidationError as error:
                log.warning("stop order cannot be read", reason=str(error)[:300])

        await self._bus.client.subscribe(subjects.control_all("stop"), cb=receive)

    async def on_decided(self, agent: str, handle: Callable[[ClaimDecision], None]) -> None:
        """Call `handle` for every decision about this agent's claims."""

        async def receive(message: Msg) -> None:
            try:
                decided = ClaimDecisions.model_validate_json(message.data)
            except ValidationError as error:
                log.warning("decisions about claims cannot be read", reason=str(error)[:300])
                return
            for decision in decided.decisions:
                handle(decision)

        await self._bus.client.subscribe(subjects.control_agent(agent, DECIDED), cb=receive)

    async def answer_holds(self, agent: str, holds: Callable[[ClaimQuestion], bool]) -> None:
        """Answer whether this agent is running an attempt."""

        async def receive(message: Msg) -> None:
            question = ClaimQuestion.model_validate_json(message.data)
            await message.respond(b"yes" if holds(question) else b"no")

        await self._bus.client.subscribe(subjects.control_agent(agent, _HOLDS), cb=receive)

    async def ask_holds(self, agent: str, question: ClaimQuestion, *, silence_s: float = 0) -> bool:
        """True when that agent answers that it is running the attempt."""
        now_s = asyncio.get_running_loop().time
        until = now_s() + silence_s
        wait_s = min(HOLDS_S, silence_s) or HOLDS_S
        while (answer := await self._asked(agent, question, wait_s)) is None:
            left_s = until - now_s()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(left_s, AGAIN_S))
        return answer

    async def _asked(self, agent: str, question: ClaimQuestion, wait_s: float) -> bool | None:
        """What the agent says; `None` when it says nothing, or nobody of that name is there."""
        try:
            reply = await self._bus.client.request(
                subjects.control_agent(agent, _HOLDS),
                question.model_dump_json().encode(),
                timeout=wait_s,
            )
        except (NatsError, TimeoutError):
            return None
        return bool(reply.data == b"yes")

    async def answer_claims(
        self, answer: Callable[[int, ClaimQuestion], Awaitable[ClaimAnswer | None]]
    ) -> None:
        """Answer runners in doubt."""

        async def receive(message: Msg) -> None:
            question = ClaimQuestion.model_validate_json(message.data)
            partition = int(message.subject.rpartition(".")[2])
            given = await answer(partition, question)
            if given is not None:
                await message.respond(given.model_dump_json().encode())

        await self._bus.client.subscribe(subjects.rpc(_CLAIMS, "*"), cb=receive)

    async def ask_claim(self, question: ClaimQuestion) -> ClaimAnswer:
        """Ask the coordinator of the execution's partition."""
        partition = subjects.partition_of(question.execution_id, self._partitions)
        try:
            reply = await self._bus.client.request(
                subjects.rpc(_CLAIMS, str(partition)),
                question.model_dump_json().encode(),
                timeout=CLAIM_S,
            )
            return ClaimAnswer.model_validate_json(reply.data)
        except (NatsError, TimeoutError, ValidationError):
            return ClaimAnswer(verdict="wait")
