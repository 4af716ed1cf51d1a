"""Questions to live agents: one message out, many answers in, until all have come or time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from pydantic import BaseModel, ValidationError

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
        gathering = _Gathering(verb, expected)
        asked = [(subjects.control_all(verb.name), tuple(expected))]
        return await self._ask(gathering, question, asked, deadline_s)

    async def ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        agents: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask these agents only."""
        gathering = _Gathering(verb, agents)
        asked = [(subjects.control_agent(agent, verb.name), (agent,)) for agent in agents]
        return await self._ask(gathering, question, asked, deadline_s)

    async def _ask(
        self,
        gathering: _Gathering,
        question: BaseModel,
        asked: Sequence[tuple[str, tuple[str, ...]]],
        deadline_s: float,
    ) -> Answers[Any]:
        """Each subject gets an inbox of its own, which tells whom a 503 is about: nobody there."""
        client = self._bus.client
        inbox = client.new_inbox()
        payload = question.model_dump_json().encode()
        try:
            subscription = await client.subscribe(f"{inbox}.*")
            try:
                for number, (subject, _) in enumerate(asked):
                    await client.publish(subject, payload, reply=f"{inbox}.{number}")
                await gathering.run(subscription, [names for _, names in asked], deadline_s)
            finally:
                if client.is_connected:
                    await subscription.unsubscribe()
        except NatsError as error:
            raise HiveUnavailableError(f"cannot ask the agents now: {error}") from error
        return gathering.result()


class _Gathering:
    """The answers to one question as they come."""

    def __init__(self, verb: Verb[Any, Any], expected: Sequence[str]) -> None:
        self._verb = verb
        self._expected = tuple(dict.fromkeys(expected))
        self._absent: set[str] = set()
        self._answers: dict[str, Any] = {}
        self._errors: dict[str, str] = {}

    async def run(
        self, subscription: Subscription, asked: Sequence[tuple[str, ...]], deadline_s: float
    ) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                while set(self._missing()) - self._absent:
                    message = await subscription.next_msg(timeout=None)
                    if message.headers and message.headers.get("Status") == "503":
                        number = int(message.subject.rpartition(".")[2])
                        self._absent.update(asked[number])
                    else:
                        self._take(message)
        except TimeoutError:
            return

    def result(self) -> Answers[Any]:
        return Answers(self._answers, self._errors, tuple(self._missing()))

    def _missing(self) -> list[str]:
        return [n for n in self._expected if n not in self._answers and n not in self._errors]

    def _take(self, message: Msg) -> None:
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
