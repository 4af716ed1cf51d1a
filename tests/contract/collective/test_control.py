"""What every way of asking agents does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.adapters.nats.connection import connect
from shared.adapters.nats.control import NatsControl, NatsControlSeat
from shared.contracts.control import FACTS, STATUS, FactsAnswer, FactsQuestion
from shared.memory.control import MemoryControl
from shared.ports.control import Control, ControlSeat

QUESTION = FactsQuestion(topics=("host",))
LONG_S = 30.0
SHORT_S = 2.0

Seats = tuple[Control, Callable[[str], ControlSeat]]


@pytest.fixture(params=["memory", "nats"])
async def seats(request: pytest.FixtureRequest) -> AsyncIterator[Seats]:
    if request.param == "memory":
        control = MemoryControl()
        yield control, control.seat
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    yield NatsControl(bus), lambda agent: NatsControlSeat(bus, agent)
    await bus.close()


def says(name: str) -> Callable[[FactsQuestion], Awaitable[FactsAnswer]]:
    async def answer(question: FactsQuestion) -> FactsAnswer:
        return FactsAnswer(facts={"name": name, "topics": list(question.topics)})

    return answer


async def refuses(_question: FactsQuestion) -> FactsAnswer:
    raise RuntimeError("no disk")


async def sleeps(_question: FactsQuestion) -> FactsAnswer:
    await asyncio.sleep(SHORT_S * 5)
    return FactsAnswer(facts={})


class TestControl:
    async def test_everybody_answers(self, seats: Seats) -> None:
        """All that are expected answer, and so does one that was not expected, if it is in time."""
        control, seat = seats
        for name in ("a", "b"):
            await seat(name).answer(FACTS, says(name))
        found = await control.ask_all(FACTS, QUESTION, ["a", "b"], LONG_S)
        assert {n: a.facts for n, a in found.answers.items()} == {
            "a": {"name": "a", "topics": ["host"]},
            "b": {"name": "b", "topics": ["host"]},
        }
        assert (found.errors, found.silent) == ({}, ())

    async def test_silence_and_refusal_are_told_apart(self, seats: Seats) -> None:
        """Who cannot answer says why; who does not answer by the deadline is silent."""
        control, seat = seats
        await seat("a").answer(FACTS, says("a"))
        await seat("b").answer(FACTS, refuses)
        await seat("c").answer(FACTS, sleeps)
        found = await control.ask_all(FACTS, QUESTION, ["a", "b", "c", "gone"], SHORT_S)
        assert list(found.answers) == ["a"]
        assert found.errors == {"b": "RuntimeError: no disk"}
        assert found.silent == ("c", "gone")

    async def test_only_the_named_are_asked(self, seats: Seats) -> None:
        """A question to some does not reach the others."""
        control, seat = seats
        for name in ("a", "b"):
            await seat(name).answer(FACTS, says(name))
        found = await control.ask(FACTS, QUESTION, ["b", "gone"], LONG_S)
        assert (list(found.answers), found.silent) == (["b"], ("gone",))

    async def test_nobody_there_is_known_at_once(self, seats: Seats) -> None:
        """Where nobody listens, all that are expected are silent without waiting."""
        control, seat = seats
        await seat("a").answer(STATUS, lambda _q: asyncio.sleep(LONG_S))  # type: ignore[arg-type, return-value]
        async with asyncio.timeout(LONG_S / 2):
            found = await control.ask_all(FACTS, QUESTION, ["a", "b"], LONG_S)
        assert found.silent == ("a", "b")

    async def test_who_left_answers_no_more(self, seats: Seats) -> None:
        """After leaving, an agent is silent."""
        control, seat = seats
        place = seat("a")
        await place.answer(FACTS, says("a"))
        await place.close()
        found = await control.ask(FACTS, QUESTION, ["a"], SHORT_S)
        assert found.silent == ("a",)
