"""Questions to live agents: one message out, many answers in, until all have come or time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from pydantic import ValidationError

from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.control import AnswerT, ControlReply, QuestionT, Verb
from shared.ports.collective import HiveUnavailableError
from shared.ports.control import Answerer, Answers

log = structlog.get_logger()

_ERROR_LIMIT: Final = 500


class NatsControl:
    """Asks agents on `hive.control.…`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def ask_all(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask every agent; done when all expected ones have answered, or after the deadline."""
        return await self._ask(
            verb, question, [subjects.control_all(verb.name)], expected, deadline_s
        )

    async def ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        agents: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask these agents only."""
        asked = [subjects.control_agent(agent, verb.name) for agent in agents]
        return await self._ask(verb, question, asked, agents, deadline_s)

    async def _ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        asked: Sequence[str],
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        client = self._bus.client
        inbox = client.new_inbox()
        gathering = _Gathering(verb, expected, unheard=len(asked))
        try:
            subscription = await client.subscribe(inbox)
            try:
                for subject in asked:
                    await client.publish(subject, question.model_dump_json().encode(), reply=inbox)
                await gathering.run(subscription, deadline_s)
            finally:
                if client.is_connected:
                    await subscription.unsubscribe()
        except NatsError as error:
            raise HiveUnavailableError(f"cannot ask the agents now: {error}") from error
        return gathering.result()


class _Gathering:
    """The answers to one question as they come."""

    def __init__(self, verb: Verb[Any, Any], expected: Sequence[str], unheard: int) -> None:
        self._verb = verb
        self._expected = tuple(dict.fromkeys(expected))
        self._unheard = unheard
        self._answers: dict[str, Any] = {}
        self._errors: dict[str, str] = {}

    async def run(self, subscription: Subscription, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                while self._missing() and self._unheard:
                    self._take(await subscription.next_msg(timeout=None))
        except TimeoutError:
            return

    def result(self) -> Answers[Any]:
        return Answers(self._answers, self._errors, tuple(self._missing()))

    def _missing(self) -> list[str]:
        return [n for n in self._expected if n not in self._answers and n not in self._errors]

    def _take(self, message: Msg) -> None:
        if message.headers and message.headers.get("Status") == "503":
            self._unheard -= 1  # nobody listens where this was asked
            return
        try:
            reply = ControlReply.model_validate_json(message.data)
            if reply.error is not None:
                self._errors[reply.agent] = reply.error
                return
            self._answers[reply.agent] = self._verb.answer.model_validate(reply.answer)
        except ValidationError as error:
            log.warning("answer cannot be read", verb=self._verb.name, reason=str(error)[:300])


class NatsControlSeat:
    """Where one agent is asked: by its name, and with all others."""

    def __init__(self, bus: Bus, agent: str) -> None:
        self._bus = bus
        self._agent = agent
        self._subscriptions: list[Subscription] = []

    async def answer(
        self, verb: Verb[QuestionT, AnswerT], answerer: Answerer[QuestionT, AnswerT]
    ) -> None:
        """Answer this verb from now on."""

        async def receive(message: Msg) -> None:
            reply = await self._reply(verb, answerer, message.data)
            try:
                await message.respond(reply.model_dump_json().encode())
            except NatsError as error:
                log.warning("answer not sent", verb=verb.name, error=str(error))

        asked = (
            subjects.control_all(verb.name),
            subjects.control_agent(self._agent, verb.name),
        )
        for subject in asked:
            self._subscriptions.append(await self._bus.client.subscribe(subject, cb=receive))
        await self._bus.client.flush()

    async def close(self) -> None:
        """Answer no more; what has arrived is still answered."""
        closing, self._subscriptions = self._subscriptions, []
        if self._bus.connected:
            for subscription in closing:
                await subscription.drain()  # type: ignore[no-untyped-call]

    async def _reply(
        self, verb: Verb[Any, Any], answerer: Answerer[Any, Any], data: bytes
    ) -> ControlReply:
        try:
            answer = await answerer(verb.question.model_validate_json(data))
            return ControlReply(agent=self._agent, answer=answer.model_dump(mode="json"))
        except Exception as error:
            # Whoever asked must learn that this agent could not, not wait for it in vain.
            log.warning("question not answered", verb=verb.name, exc_info=error)
            words = f"{type(error).__name__}: {error}"[:_ERROR_LIMIT]
            return ControlReply(agent=self._agent, error=words)
