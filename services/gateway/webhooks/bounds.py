"""Keeping the queue and the log of every webhook within bounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from services.gateway.webhooks.judging import Judge
from services.gateway.webhooks.loops import Loop
from shared.ports.webhooks import DeliveryStore, WebhookStore

EVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept for one webhook: deliveries that ended, dead ones, pending ones."""

    logged: int
    dead: int
    pending: int


class BoundsKeeper:
    """Forgets the oldest of the log, and disables a webhook whose queue grows without end."""

    def __init__(
        self, webhooks: WebhookStore, deliveries: DeliveryStore, judge: Judge, bounds: Bounds
    ) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._judge = judge
        self._bounds = bounds
        self._loop = Loop("webhooks keep bounds", self._turn)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    async def close(self) -> None:
        """Stop."""
        await self._loop.close()

    async def keep(self) -> None:
        """Look at every webhook once."""
        bounds = self._bounds
        for webhook in await self._webhooks.all():
            waiting = await self._deliveries.pending(webhook.id, bounds.pending + 1)
            if waiting > bounds.pending:
                reason = f"more than {bounds.pending} deliveries are pending"
                await self._judge.disable(webhook.id, reason)
            await self._deliveries.trim(webhook.id, delivered=bounds.logged, dead=bounds.dead)

    async def _turn(self) -> None:
        await self.keep()
        await asyncio.sleep(EVERY_S)
