"""The suggestion service in the same process."""

from __future__ import annotations

from shared.contracts.suggestions import (
    AlertNotice,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    SuggestQuestion,
)
from shared.ports.suggestions import Suggester, SuggesterAwayError


class MemorySuggester:
    """Hands questions to a service; without one none answers. Both ways through JSON, as they would
    go over a network."""

    def __init__(self, service: Suggester | None = None) -> None:
        self._service = service

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        """Workflows and next commands; raises `SuggesterAwayError`."""
        received = SuggestQuestion.model_validate_json(question.model_dump_json())
        try:
            answer = await self._there("suggest").suggest(received)
        except SuggesterAwayError:
            raise
        except Exception as error:
            raise SuggesterAwayError(f"suggest: {type(error).__name__}") from error
        return SuggestAnswer.model_validate_json(answer.model_dump_json())

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        """How a sequence goes on; raises `SuggesterAwayError`."""
        received = AutocompleteQuestion.model_validate_json(question.model_dump_json())
        try:
            answer = await self._there("autocomplete").autocomplete(received)
        except SuggesterAwayError:
            raise
        except Exception as error:
            raise SuggesterAwayError(f"autocomplete: {type(error).__name__}") from error
        return SuggestAnswer.model_validate_json(answer.model_dump_json())

    async def notice(self, notice: AlertNotice) -> Noticed:
        """Offer workflows for alerts; raises `SuggesterAwayError`."""
        received = AlertNotice.model_validate_json(notice.model_dump_json())
        try:
            return await self._there("notice").notice(received)
        except SuggesterAwayError:
            raise
        except Exception as error:
            raise SuggesterAwayError(f"notice: {type(error).__name__}") from error

    def _there(self, endpoint: str) -> Suggester:
        if self._service is None:
            nobody = f"nobody answered suggestion.{endpoint}"
            raise SuggesterAwayError(f"{nobody}; is a suggestion service running?")
        return self._service
