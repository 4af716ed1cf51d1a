"""Suggestions: asked of the suggestion service; what becomes of them goes into the record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from services.gateway import problems
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.suggestions import (
    AutocompleteBody,
    AutocompleteQuestion,
    FeedbackBody,
    FeedbackTaken,
    SuggestAnswer,
    SuggestBody,
    SuggestQuestion,
)
from shared.learning.recorded_line import recorded_line
from shared.learning.records import TEXT_LIMIT, Feedback
from shared.learning.secret_filter import text_without_secrets
from shared.ports.record import ItemRefusedError
from shared.ports.suggestions import SuggesterAwayError


class SuggestionOperations:
    """Each key asks for itself: its name is the user whose commands and runs count as its own."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def suggest(self, body: SuggestBody, principal: Principal) -> SuggestAnswer:
        """What is wanted now. Raises 503 where no suggestion service answers."""
        question = SuggestQuestion.model_construct(**dict(body), user=principal.name)
        with _away():
            return await self._parts.suggester.suggest(question)

    async def autocomplete(self, body: AutocompleteBody, principal: Principal) -> SuggestAnswer:
        """How a sequence goes on. Raises 503 where no suggestion service answers."""
        question = AutocompleteQuestion.model_construct(**dict(body), user=principal.name)
        with _away():
            return await self._parts.suggester.autocomplete(question)

    async def feedback(self, body: FeedbackBody, principal: Principal) -> FeedbackTaken:
        """Keep what became of a suggestion. Raises 422 for what cannot be, 503 where the bus is
        away."""
        if body.verdict == "edited" and not body.chosen:
            raise problems.problem(
                "invalid-request", "`chosen` is missing: with `edited` it says what was taken."
            )
        said = await asyncio.to_thread(_without_secrets, body)
        item = _item(said, principal.name, self._parts.clock.now_ms())
        chosen = await self._parts.record.choices.of(principal.name)
        if chosen is not None and not chosen.on:
            return FeedbackTaken(
                id=item.id, recorded=False, why=f"{principal.name} has opted out of recording."
            )
        try:
            await self._parts.record.sink.add([item])
        except ItemRefusedError as error:
            raise problems.problem("invalid-request", f"{error}.") from None
        except (TimeoutError, OSError):
            raise problems.unavailable("The record") from None
        return FeedbackTaken(id=item.id)


def _without_secrets(body: FeedbackBody) -> FeedbackBody:
    """As it may be kept: a line as it would be recorded, a text line by line."""
    said = {
        name: recorded_line(line).command if body.kind == "command" else line
        for name, line in (("suggested", body.suggested), ("chosen", body.chosen))
    }
    return body.model_copy(update={**said, "text": text_without_secrets(body.text)[:TEXT_LIMIT]})


def _item(body: FeedbackBody, user: str, at_ms: int) -> Feedback:
    """The item of the record; the same said again has the same id."""
    named = "\0".join((user, body.suggestion_id, body.verdict, body.suggested, body.chosen))
    return Feedback(
        id=f"fb_{sha256(named.encode()).hexdigest()[:32]}",
        at_ms=at_ms,
        user=user,
        **body.model_dump(exclude_defaults=False),
    )


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except SuggesterAwayError as error:
        raise problems.problem("unavailable", f"{error}") from None
