"""Suggestions unasked: an event when a session has begun a workflow, or an alert asks for one.

The law:

* It is offered once two steps are done, and the rest is likely to be wanted; for an alert where
  the text model is sure enough.
* Once for a workflow in a session (of an alert: for its key), and a bounded number of times an hour
  for a user (a receiver); who dismisses a workflow again and again is not offered it.
* An event is seen by everybody who reads events: it names the workflow and the session, and holds
  no command and no value. Its user asks for those.
* What was recorded long ago is never offered: only commands that came in just now.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

import structlog

from services.suggestion.library import Library
from services.suggestion.models import Models
from shared.contracts.event_types import SUGGESTION_OFFERED
from shared.contracts.events import PublicEvent
from shared.learning.records import AnyRecord, RecordedCommand
from shared.ports.clock import Clock, Ids
from shared.ports.events import EventSink
from shared.suggest.started import Started
from shared.workflow.definition import Template

log = structlog.get_logger()

LEAST_STEPS: Final = 2
LEAST: Final = 0.4
LEAST_OF_ALERT: Final = 0.6
LATE_MS: Final = 120_000
"""A command that was run so long ago begins nothing now."""

REMEMBERED: Final = 10_000
HOUR_MS: Final = 3_600_000
SOURCES: Final = frozenset({"shell", "agent", "api"})
"""Steps of executions and imported histories begin nothing."""


class Offering:
    """Listens to the record, and publishes."""

    def __init__(
        self,
        models: Models,
        library: Library,
        sink: EventSink,
        clock: Clock,
        ids: Ids,
        most_per_h: int,
        counted: Callable[[str], None] | None = None,
    ) -> None:
        """`counted` is told why something was offered."""
        self._counted = counted
        self._models, self._library, self._sink = models, library, sink
        self._clock, self._ids, self._most = clock, ids, most_per_h
        self._offered: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._times: OrderedDict[str, deque[int]] = OrderedDict()
        self._sending: set[asyncio.Task[None]] = set()

    def heard(self, item: AnyRecord) -> None:
        """An item came in: offer what it makes likely."""
        if not isinstance(item, RecordedCommand) or item.source not in SOURCES or not self._most:
            return
        if self._clock.now_ms() - item.at_ms > LATE_MS:
            return
        lines = self._models.sessions.lines(item.user, item.session)
        for started in self._library.steps.started(lines)[:1]:
            likely = self._models.feedback.moved(
                "steps", started.likely, item.user, started.template
            )
            if len(started.done) < LEAST_STEPS or likely < LEAST or started.line != item.command:
                continue
            if self._may(item.user, item.session, started.template):
                self._send(self._event(item, started, likely))

    def alert(self, receiver: str, key: str, template: Template, likely: float) -> bool:
        """An alert asks for a workflow: offer it, if that is not too often; says whether it was."""
        if not self._most or likely < LEAST_OF_ALERT:
            return False
        if not self._may(f"receiver {receiver}", key or template.id, template.id):
            return False
        data = {"receiver": receiver, "key": key, "suggestion_id": self._ids.new("sgt")}
        self._send(self._made(template, {**data, "why": "alert", "confidence": round(likely, 4)}))
        return True

    async def close(self) -> None:
        """Wait for what is being published."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=1)

    def _may(self, user: str, session: str, template: str) -> bool:
        """Whether it is not too often; if so, it counts."""
        key = (user, session, template)
        if key in self._offered:
            return False
        now_ms = self._clock.now_ms()
        times = self._times.setdefault(user, deque())
        while times and now_ms - times[0] > HOUR_MS:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now_ms)
        self._offered[key] = None
        for kept in (self._offered, self._times):
            while len(kept) > REMEMBERED:
                kept.popitem(last=False)
        return True

    def _event(self, item: RecordedCommand, started: Started, likely: float) -> PublicEvent:
        template = self._library.templates[started.template]
        return self._made(
            template,
            {
                "user": item.user,
                "session": item.session,
                "suggestion_id": self._ids.new("sgs"),
                "why": "steps",
                "done": len(started.done),
                "of": len(template.steps),
                "confidence": round(likely, 4),
            },
        )

    def _made(self, template: Template, data: dict[str, Any]) -> PublicEvent:
        return PublicEvent(
            id=self._ids.new("so"),
            type=SUGGESTION_OFFERED,
            at_ms=self._clock.now_ms(),
            template_id=template.id,
            template_version=template.version,
            category=template.category,
            data=data,
        )

    def _send(self, event: PublicEvent) -> None:
        task = asyncio.create_task(self._publish(event))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _publish(self, event: PublicEvent) -> None:
        if self._counted is not None:
            self._counted(str(event.data["why"]))
        try:
            await self._sink.publish(event, about=event.template_id or "")
        except Exception as error:
            log.warning("suggestion not offered", error=str(error) or type(error).__name__)
