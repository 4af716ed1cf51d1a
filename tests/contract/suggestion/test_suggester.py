"""Questions reach a suggestion service whole, and answers come back whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.adapters.nats.connection import connect
from shared.adapters.nats.rpc import RpcService
from shared.adapters.nats.suggester import NatsSuggester
from shared.contracts import rpc
from shared.contracts.suggestions import (
    AlertNotice,
    AlertText,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    Suggestion,
    SuggestQuestion,
)
from shared.memory.suggester import MemorySuggester
from shared.ports.suggestions import Suggester, SuggesterAwayError

FOUND = SuggestAnswer(
    suggestions=(Suggestion(id="sgc_1", kind="command", title="make", confidence=0.4),),
    learned_to=7,
)
QUESTION = SuggestQuestion(user="ann", context="help", facts={"n": 1, "host": "web-1"})


class Service:
    def __init__(self) -> None:
        self.asked: list[object] = []

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        self.asked.append(question)
        return FOUND

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        self.asked.append(question)
        return FOUND

    async def notice(self, notice: AlertNotice) -> Noticed:
        self.asked.append(notice)
        return Noticed(offered=1)


Make = Callable[[Service | None], Awaitable[Suggester]]


@pytest.fixture(params=["memory", "nats"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    if request.param == "memory":

        async def in_memory(service: Service | None) -> Suggester:
            return MemorySuggester(service)

        yield in_memory
        return
    bus = await connect(request.getfixturevalue("nats_url"), "test")
    endpoints = RpcService(bus, "suggestion", "1.0.0")
    await endpoints.start()

    async def over_nats(service: Service | None) -> Suggester:
        if service is not None:
            await endpoints.serve(rpc.SUGGEST, service.suggest, at_once=4)
            await endpoints.serve(rpc.AUTOCOMPLETE, service.autocomplete, at_once=4)
            await endpoints.serve(rpc.NOTICE, service.notice, at_once=4)
        return NatsSuggester(bus, absent_s=0.3)

    yield over_nats
    await endpoints.close()
    await bus.close()


async def test_questions_and_answers_arrive_whole(make: Make) -> None:
    """Every endpoint."""
    service = Service()
    suggester = await make(service)
    assert await suggester.suggest(QUESTION) == FOUND
    going_on = AutocompleteQuestion(user="ann", partial_sequence=("git pull",))
    assert await suggester.autocomplete(going_on) == FOUND
    notice = AlertNotice(receiver="rc_1", alerts=(AlertText(key="k", text="web-1 is down"),))
    assert await suggester.notice(notice) == Noticed(offered=1)
    assert service.asked == [QUESTION, going_on, notice]


async def test_without_a_service_that_is_said(make: Make) -> None:
    """Nothing is guessed in its place."""
    suggester = await make(None)
    with pytest.raises(SuggesterAwayError, match="is a suggestion service running"):
        await suggester.suggest(QUESTION)
