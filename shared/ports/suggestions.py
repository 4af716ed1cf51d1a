"""The suggestion service, as those see it who ask."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.suggestions import (
    AlertNotice,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    SuggestQuestion,
)


class SuggesterAwayError(Exception):
    """No suggestion service answers; nothing is ever guessed in its place."""


class Suggester(Protocol):
    """Says what is wanted next, and why."""

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        """Workflows and next commands; raises `SuggesterAwayError`."""
        ...

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        """How a sequence goes on; raises `SuggesterAwayError`."""
        ...

    async def notice(self, notice: AlertNotice) -> Noticed:
        """Offer workflows for alerts; raises `SuggesterAwayError`."""
        ...
