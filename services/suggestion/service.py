"""The suggestion service without its doors: models, library and text model, with one life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from services.suggestion.answering import Answering
from services.suggestion.following import Following
from services.suggestion.library import Library
from services.suggestion.matching import LiveMatcher
from services.suggestion.models import Models
from services.suggestion.offering import Offering
from services.suggestion.ports import ReadsAgents, ReadsRecord, ReadsSnapshots, ReadsTemplates
from services.suggestion.workflows import Workflows
from shared.contracts.suggestions import (
    AlertNotice,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    SuggestQuestion,
)
from shared.ports.clock import Clock, Ids
from shared.ports.embedder import Embedder
from shared.ports.events import EventSink
from shared.ports.record import RecordFeed
from shared.ports.text_models import TextModelStore
from shared.runtime.suggestion_meter import SuggestionMeter
from shared.suggest.feedback import FeedbackFold
from shared.workflow.definition import Template

log = structlog.get_logger()

TAUGHT_S: Final = 0.2
"""How soon the text model is told of new examples."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that the service reads."""

    templates: ReadsTemplates
    agents: ReadsAgents
    feed: RecordFeed
    record: ReadsRecord
    snapshots: ReadsSnapshots
    text_models: TextModelStore
    events: EventSink
    clock: Clock
    ids: Ids


class SuggestionService:
    """Answers questions. Call `start` before, `close` after."""

    def __init__(
        self,
        sources: Sources,
        embedder: Embedder | None,
        refresh_s: float = 5.0,
        agents_s: float = 5.0,
        offers_per_h: int = 6,
        meter: SuggestionMeter | None = None,
    ) -> None:
        self._meter = meter
        self.models = Models()
        self.matcher = LiveMatcher(embedder, sources.text_models)
        self.library = Library(
            sources.templates, sources.agents, self._templates_changed, refresh_s, agents_s
        )
        self._offering = Offering(
            self.models,
            self.library,
            sources.events,
            sources.clock,
            sources.ids,
            offers_per_h,
            meter.offered if meter is not None else None,
        )
        self.following = Following(
            self.models, sources.feed, sources.record, sources.snapshots, self._offering.heard
        )
        workflows = Workflows(self.library, self.models, sources.clock)
        self._answering = Answering(self.models, self.library, self.matcher, workflows, sources.ids)
        self._taught: tuple[FeedbackFold, int] | None = None
        self._making = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read, to follow and to learn."""
        self.following.start()
        self.library.start()
        self._task = asyncio.create_task(self._teach(), name="suggestion-teaches")

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs; none of it ends by itself."""
        return [*self.following.tasks, *([self._task] if self._task else [])]

    @property
    def matcher_is_taught(self) -> bool:
        """Whether the text model holds every example there is."""
        return self._taught == (self.models.feedback, self.models.feedback.changes)

    async def ready(self) -> None:
        """Wait until everything that was learned and all templates are there."""
        await self.following.ready.wait()
        await self.library.read_at_least_once.wait()

    async def suggest(self, question: SuggestQuestion) -> SuggestAnswer:
        """Workflows and next commands for a situation."""
        self._answering.place = self.following.place
        return await self._answering.suggest(question)

    async def autocomplete(self, question: AutocompleteQuestion) -> SuggestAnswer:
        """How a sequence goes on."""
        self._answering.place = self.following.place
        return await self._answering.autocomplete(question)

    async def notice(self, notice: AlertNotice) -> Noticed:
        """Alerts came in: offer the workflow that each asks for."""
        offered = 0
        for alert in notice.alerts:
            look = await self.matcher.look(alert.text, "")
            best = look.answer.best if look is not None else None
            template = self.library.templates.get(best.template) if best is not None else None
            if best is None or template is None:
                continue
            likely = self.models.feedback.moved("text", best.confidence, "")
            offered += self._offering.alert(notice.receiver, alert.key, template, likely)
        return Noticed(offered=offered)

    async def close(self) -> None:
        """Stop all of it."""
        await self.library.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.following.close()
        await self._offering.close()
        await self.matcher.close()

    async def _templates_changed(self, templates: Sequence[Template]) -> None:
        """The text model of what is there now. The first one does without examples: those take
        longer to read, and are learned at once afterwards."""
        async with self._making:
            labels = self.models.feedback.labels if self.matcher.ready else ()
            await self.matcher.make(templates, labels)
            if self._meter is not None:
                self._meter.templates.set(len(templates))
            self._taught = None

    async def _teach(self) -> None:
        while True:
            await asyncio.sleep(TAUGHT_S)
            feedback = self.models.feedback
            known = (feedback, feedback.changes)
            if not self.matcher.ready or known == self._taught:
                continue
            try:
                async with self._making:
                    await self.matcher.learn(feedback.labels)
                self._taught = known
            except Exception:
                log.exception("text model not taught")
                await asyncio.sleep(5)
