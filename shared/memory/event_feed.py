"""A feed of the events in memory, which several followers share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from shared.contracts.webhooks import pattern_fits
from shared.memory.events import MemoryEvents
from shared.ports.webhooks import FedEvent


@dataclass(slots=True)
class MemoryFeedPlace:
    """Where the followers of one feed stand together; outlives each of them."""

    patterns: tuple[str, ...] = ()
    since_ms: int = 0
    position: int = 0
    returned: list[FedEvent] = field(default_factory=list)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)


class MemoryEventFeed:
    """One follower."""

    def __init__(self, events: MemoryEvents, place: MemoryFeedPlace) -> None:
        self._events = events
        self._place = place
        self._in_hand: dict[str, FedEvent] = {}

    async def follow(self, patterns: Sequence[str], since_ms: int) -> None:
        """Give events that fit a pattern."""
        place = self._place
        if not patterns:
            place.patterns, place.since_ms, place.position = (), 0, 0
            place.returned.clear()
            return
        if not place.patterns:
            place.since_ms = since_ms
        place.patterns = tuple({*place.patterns, *patterns})

    async def take(self, limit: int) -> Sequence[FedEvent]:
        """Wait for events: what was handed back, or the next one that fits."""
        async with self._place.reading:
            taken = self._place.returned[:limit] or [await self._next()]
            del self._place.returned[:limit]
        self._in_hand |= {one.receipt: one for one in taken}
        return taken

    async def acknowledge(self, events: Sequence[FedEvent]) -> None:
        """These are dealt with."""
        for one in events:
            self._in_hand.pop(one.receipt, None)

    async def close(self) -> None:
        """Hand back what is not acknowledged."""
        self._place.returned.extend(self._in_hand.values())
        self._in_hand.clear()

    async def _next(self) -> FedEvent:
        place = self._place
        async with aclosing(self._events.read(place.position)) as reading:
            async for sequenced in reading:
                event, place.position = sequenced.event, sequenced.seq
                fits = any(pattern_fits(pattern, event.type) for pattern in place.patterns)
                if fits and event.at_ms >= place.since_ms:
                    return FedEvent(event, sequenced.seq, event.id)
        raise RuntimeError("events in memory have no end")
