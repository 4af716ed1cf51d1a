"""The suggestion service over request and reply."""

from __future__ import annotations

from typing import Final

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import call
from shared.contracts import rpc
from shared.contracts.control import AnswerT, QuestionT
from shared.contracts.rpc import Endpoint
from shared.contracts.suggestions import (
    AlertNotice,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    SuggestQuestion,
)
from shared.ports.collective import CollectiveError
from shared.ports.suggestions import SuggesterAwayError

ASK_S: Final = 5.0
ABSENT_S: Final = 1.0
"""How long is waited for a service where there is none: one may be starting."""


class NatsSuggester:
    """Asks whichever suggestion process is free."""

    def __init__(self, bus: Bus, absent_s: float = ABSENT_S) -> None:
        self._bus = bus
        self._absent_s = absent_s

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        """Workflows and next commands; raises `SuggesterAwayError`."""
        return await self._ask(rpc.SUGGEST, question)

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        """How a sequence goes on; raises `SuggesterAwayError`."""
        return await self._ask(rpc.AUTOCOMPLETE, question)

    async def notice(self, notice: AlertNotice) -> Noticed:
        """Offer workflows for alerts; raises `SuggesterAwayError`."""
        return await self._ask(rpc.NOTICE, notice)

    async def _ask(self, endpoint: Endpoint[QuestionT, AnswerT], question: QuestionT) -> AnswerT:
        try:
            return await call(self._bus, endpoint, question, ASK_S, self._absent_s)
        except CollectiveError as error:
            raise SuggesterAwayError(str(error)) from error
