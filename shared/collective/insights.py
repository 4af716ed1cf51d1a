"""Telling insights: each is kept, remembered by the collective, and an event of its own.

What is told once is not told again, and no more than `MOST_IN_AN_HOUR` are: further ones are left
out, and told when they are found again. Whoever is cut off between goes on where it stopped: each
part is done once, by its id.
"""

from __future__ import annotations

import re
from typing import Final

import structlog

from shared.contracts.collective import Memory
from shared.contracts.events import PublicEvent
from shared.outcomes.insights import HOUR_MS, MOST_IN_AN_HOUR
from shared.outcomes.views import InsightView
from shared.ports.collective import Memories
from shared.ports.events import EventSink
from shared.ports.outcomes import OutcomeViews

log = structlog.get_logger()

AUTHOR: Final = "learning"
CATEGORY: Final = "insight"
KEPT_MS: Final = 180 * 86_400_000
"""For how long an insight is remembered."""
_NO_SLUG: Final = re.compile(r"[^a-z0-9_-]+")


class InsightDesk:
    """Tells insights."""

    def __init__(self, views: OutcomeViews, memories: Memories, events: EventSink) -> None:
        self._views = views
        self._memories = memories
        self._events = events

    async def tell(self, insight: InsightView) -> bool:
        """Tell it, unless it was told, or too much was told within the hour. True if it was new."""
        if await self._views.get(InsightView, insight.id) is not None:
            return False
        if await self._too_many(insight.at_ms):
            log.info("insight waits: too many within the hour", insight=insight.id)
            return False
        memory = memory_of(insight)
        await self._memories.remember(memory)
        await self._events.publish(event_of(insight), about=insight.about or insight.id)
        await self._views.put((insight.model_copy(update={"memory_id": memory.id}),))
        return True

    async def _too_many(self, now_ms: int) -> bool:
        latest = await self._views.page(InsightView, limit=MOST_IN_AN_HOUR)
        return len(latest) >= MOST_IN_AN_HOUR and latest[-1].at_ms > now_ms - HOUR_MS


def memory_of(insight: InsightView) -> Memory:
    """The insight as the collective remembers it."""
    tags = [insight.insight, insight.template_id, insight.agent]
    slugs = [_NO_SLUG.sub("-", tag.lower()).strip("-_")[:63] for tag in tags if tag]
    return Memory(
        id=f"insight.{insight.id}"[:200],
        content=f"{insight.title}\n{insight.text}",
        category=CATEGORY,
        tags=tuple(dict.fromkeys(slug for slug in slugs if slug)),
        importance=0.8 if insight.insight == "failure_warning" else 0.6,
        created_at_ms=insight.at_ms,
        expires_at_ms=insight.at_ms + KEPT_MS,
        author=AUTHOR,
    )


def event_of(insight: InsightView) -> PublicEvent:
    """The insight as an event."""
    return PublicEvent(
        id=f"insight.{insight.id}",
        type=f"insight.{insight.insight}",
        at_ms=insight.at_ms,
        template_id=insight.template_id or None,
        data=insight.model_dump(mode="json", exclude={"memory_id"}, exclude_defaults=True),
    )
