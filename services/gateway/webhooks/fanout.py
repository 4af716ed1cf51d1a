"""From events to deliveries: each event once for each webhook that wants it.

Events come from a feed that every gateway shares. They are acknowledged when their deliveries are
stored; what comes again after a crash finds its deliveries there, by their ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from services.gateway.webhooks.envelope import body_of, delivery_id
from services.gateway.webhooks.loops import Loop
from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import Delivery, Webhook, WebhookStatus
from shared.ports.clock import Clock
from shared.ports.webhooks import (
    DeliveryStore,
    EventFeed,
    FedEvent,
    QueuedDelivery,
    WebhookStore,
)

BATCH: Final = 256
RECONCILE_S: Final = 2.0
"""How often webhooks that other gateways have made or removed are looked for."""
SKEW_MS: Final = 5_000
"""A new feed begins so much earlier than its first webhook: the clocks of servers differ."""
RESET_MS: Final = 60_000
"""An event so much later than the enabling of a webhook is new whatever its sequence: sequences
begin anew with a stream that was made anew."""


class FanOut:
    """Stores deliveries of events, and calls `wake` when there are some."""

    def __init__(
        self,
        feed: EventFeed,
        webhooks: WebhookStore,
        deliveries: DeliveryStore,
        clock: Clock,
        source: str,
        wake: Callable[[], None],
    ) -> None:
        self._feed = feed
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._clock = clock
        self._source = source
        self._wake = wake
        self._following = asyncio.Lock()
        self._in_hand: Sequence[FedEvent] = ()
        self._loops = (
            Loop("webhooks follow events", self._reconcile),
            Loop("webhooks fan out", self._turn),
        )

    def start(self) -> None:
        """Begin."""
        for loop in self._loops:
            loop.start()

    async def close(self) -> None:
        """Stop; events in hand go to another gateway, or come again."""
        for loop in self._loops:
            await loop.close()
        await self._feed.close()

    async def refresh(self) -> None:
        """Follow what the webhooks of this moment want. When this returns, they are served."""
        async with self._following:
            enabled = await self._enabled()
            patterns = sorted({pattern for w in enabled for pattern in w.filter.events})
            since_ms = min((w.enabled_at_ms for w in enabled), default=0) - SKEW_MS
            await self._feed.follow(patterns, since_ms)

    def delivery_of(self, webhook: Webhook, event: PublicEvent, now_ms: int) -> QueuedDelivery:
        """A new delivery of an event, due at once."""
        delivery = Delivery(
            id=delivery_id(webhook.id, event.id),
            webhook_id=webhook.id,
            event_id=event.id,
            event_type=event.type,
            created_at_ms=now_ms,
            due_at_ms=now_ms,
        )
        return QueuedDelivery(delivery, body_of(event, self._source))

    async def _reconcile(self) -> None:
        await self.refresh()
        await asyncio.sleep(RECONCILE_S)

    async def _turn(self) -> None:
        """One batch. After an error it is still in hand for the next turn."""
        if not self._in_hand:
            self._in_hand = await self._feed.take(BATCH)
        enabled = await self._enabled()
        now_ms = self._clock.now_ms()
        queued = [
            self.delivery_of(webhook, fed.event, now_ms)
            for fed in self._in_hand
            for webhook in enabled
            if _wanted(webhook, fed)
        ]
        await self._deliveries.enqueue(queued)
        await self._feed.acknowledge(self._in_hand)
        self._in_hand = ()
        if queued:
            self._wake()

    async def _enabled(self) -> list[Webhook]:
        return [w for w in await self._webhooks.all() if w.status is WebhookStatus.ENABLED]


def _wanted(webhook: Webhook, fed: FedEvent) -> bool:
    later = fed.event.at_ms > webhook.enabled_at_ms + RESET_MS
    return (fed.seq > webhook.after_seq or later) and webhook.filter.lets_pass(fed.event)
