"""Asking live agents, and answering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol

from shared.contracts.control import AnswerT, QuestionT, Verb

Answerer = Callable[[QuestionT], Awaitable[AnswerT]]
"""How an agent answers. What it raises is sent as an error, in words."""


@dataclass(frozen=True, slots=True)
class Answers(Generic[AnswerT]):
    """What came back within the deadline, by agent.

    `errors` are agents that answered that they cannot; `silent` those expected that did not answer.
    """

    answers: dict[str, AnswerT] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


class Control(Protocol):
    """Questions to agents."""

    async def ask_all(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        expected: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask every agent; done when all `expected` have answered, or after `deadline_s`.

        Answers of agents that were not expected are given too, if they come in time.
        """
        ...

    async def ask(
        self,
        verb: Verb[QuestionT, AnswerT],
        question: QuestionT,
        agents: Sequence[str],
        deadline_s: float,
    ) -> Answers[AnswerT]:
        """Ask these agents only."""
        ...


class ControlSeat(Protocol):
    """The place at which one agent is asked."""

    async def answer(
        self, verb: Verb[QuestionT, AnswerT], answerer: Answerer[QuestionT, AnswerT]
    ) -> None:
        """Answer this verb from now on."""
        ...

    async def close(self) -> None:
        """Answer no more; what is being answered is finished."""
        ...
