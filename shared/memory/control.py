"""Questions between agents of one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from shared.contracts.control import AnswerT, QuestionT, Verb
from shared.ports.control import Answerer, Answers

_ERROR_LIMIT: Final = 500


class MemoryControl:
    """Where seats are taken and questions asked. Questions and answers pass through JSON, as they
    would over a network."""

    def __init__(self) -> None:
        self._seats: defaultdict[str, dict[str, Answerer[Any, Any]]] = defaultdict(dict)

    def seat(self, agent: str) -> MemoryControlSeat:
        """The place at which an agent is asked."""
        return MemoryControlSeat(self, agent)

    async def ask_all(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask every agent that has a seat."""
        listening = [name for name, verbs in self._seats.items() if verb.name in verbs]
        return await self._ask(verb, question, listening, expected, deadline_s)

    async def ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        agents: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask these agents only."""
        listening = [name for name in agents if verb.name in self._seats.get(name, {})]
        return await self._ask(verb, question, listening, agents, deadline_s)

    def take(self, agent: str, verb: str, answerer: Answerer[Any, Any]) -> None:
        """An agent answers a verb from now on."""
        self._seats[agent][verb] = answerer

    def leave(self, agent: str) -> None:
        """An agent answers no more."""
        self._seats.pop(agent, None)

    async def _ask(
        self,
        verb: Verb[Any, Any],
        question: Any,
        listening: Sequence[str],
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[Any]:
        payload = question.model_dump_json()
        asking = {
            asyncio.create_task(self._answer(verb, self._seats[name][verb.name], payload)): name
            for name in listening
        }
        answers: dict[str, Any] = {}
        errors: dict[str, str] = {}
        done, late = await asyncio.wait(asking, timeout=deadline_s) if asking else (set(), set())
        for task in late:
            task.cancel()
        for task in done:
            answer, error = task.result()
            (answers if error is None else errors)[asking[task]] = (
                answer if error is None else error
            )
        silent = [n for n in dict.fromkeys(expected) if n not in answers and n not in errors]
        return Answers(answers, errors, tuple(silent))

    async def _answer(
        self, verb: Verb[Any, Any], answerer: Answerer[Any, Any], payload: str
    ) -> tuple[Any, str | None]:
        try:
            answer = await answerer(verb.question.model_validate_json(payload))
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"[:_ERROR_LIMIT]
        return verb.answer.model_validate_json(answer.model_dump_json()), None


class MemoryControlSeat:
    """The place at which one agent is asked."""

    def __init__(self, control: MemoryControl, agent: str) -> None:
        self._control = control
        self._agent = agent

    async def answer(
        self, verb: Verb[QuestionT, AnswerT], answerer: Answerer[QuestionT, AnswerT]
    ) -> None:
        """Answer this verb from now on."""
        self._control.take(self._agent, verb.name, answerer)

    async def close(self) -> None:
        """Answer no more."""
        self._control.leave(self._agent)
