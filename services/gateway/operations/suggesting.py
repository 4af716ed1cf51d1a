"""Suggestions: asked of the suggestion service; what becomes of them goes into the record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

import structlog

from services.gateway import problems
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.automation.messages import Event
from shared.contracts.suggestions import (
    LINE_LIMIT,
    AlertNotice,
    AlertText,
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
from shared.runtime.recording_meter import RecordingMeter

log = structlog.get_logger()

ALERT: Final = "alert.firing"
MOST_ALERTS: Final = 20
NAMING: Final = ("alertname", "severity", "service", "job", "instance")
"""Labels of an alert that say what it is about."""


class SuggestionOperations:
    """Each key asks for itself: its name is the user whose commands and runs count as its own."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.meter: RecordingMeter | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def alerted(self, receiver: str, events: Sequence[Event]) -> None:
        """Something came in at a receiver; who sent it does not wait for suggestions."""
        if any(event.type == ALERT for event in events):
            task = asyncio.create_task(self.notice(receiver, events))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

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

    async def notice(self, receiver: str, events: Sequence[Event]) -> None:
        """Tell the suggestion service of alerts that are firing; whether it is there does not
        matter to who sent them."""
        alerts = [AlertText(key=e.key[:1_000], text=text) for e in events if (text := text_of(e))]
        if not alerts:
            return
        notice = AlertNotice(receiver=receiver, alerts=tuple(alerts[:MOST_ALERTS]))
        try:
            await self._parts.suggester.notice(notice)
        except SuggesterAwayError as error:
            log.info("alert not looked at for suggestions", error=str(error))

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
        if self.meter is not None:
            self.meter.feedback(body.kind, body.verdict)
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


def text_of(event: Event) -> str:
    """A firing alert in words; empty for any other event."""
    if event.type != ALERT:
        return ""
    labels, notes = event.data.get("labels"), event.data.get("annotations")
    said = list(notes.values()) if isinstance(notes, Mapping) else []
    named = [labels.get(one, "") for one in NAMING] if isinstance(labels, Mapping) else []
    return " ".join(str(one) for one in (*named, *said) if one)[:LINE_LIMIT]


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except SuggesterAwayError as error:
        raise problems.problem("unavailable", f"{error}") from None
