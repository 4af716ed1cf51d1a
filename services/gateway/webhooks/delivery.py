"""The worker that sends deliveries which are due. Every gateway has one; they share the queue.

A delivery is claimed for as long as one attempt can take. A gateway that dies with it lets the
claim run out, and another sends it: a receiver may get it twice, with the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog

from services.gateway.webhooks.judging import Judge
from services.gateway.webhooks.loops import Loop
from services.gateway.webhooks.sending import Sender
from shared.contracts.webhooks import WebhookStatus
from shared.ports.clock import Clock
from shared.ports.webhooks import DeliveryStore, QueuedDelivery, WebhookStore
from shared.runtime.sealing import Sealer

log = structlog.get_logger()

PER_WEBHOOK: Final = 4
"""Attempts at one webhook at once: a slow receiver does not hold up the others."""
LEASE_MARGIN_S: Final = 30.0
"""How much longer than an attempt's timeout a claim lasts."""
REST_S: Final = (0.1, 2.0)
"""Shortest and longest rest while nothing is due: other gateways queue deliveries, too."""


class DeliveryWorker:
    """Claims, sends, records."""

    def __init__(
        self,
        webhooks: WebhookStore,
        deliveries: DeliveryStore,
        sender: Sender,
        judge: Judge,
        sealer: Sealer,
        clock: Clock,
        *,
        concurrency: int,
        timeout_s: float,
    ) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._sender = sender
        self._judge = judge
        self._sealer = sealer
        self._clock = clock
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._awake = asyncio.Event()
        self._busy: Counter[str] = Counter()
        self._sending: set[asyncio.Task[None]] = set()
        self._loop = Loop("webhooks send", self._turn)

    @property
    def lease_ms(self) -> int:
        """How long a claim lasts."""
        return round((self._timeout_s + LEASE_MARGIN_S) * 1_000)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    async def close(self) -> None:
        """Claim nothing more, and let attempts under way end; each is bounded by its timeout."""
        await self._loop.close()
        if self._sending:
            await asyncio.wait(self._sending)
        await self._sender.close()

    async def deliver(self, queued: QueuedDelivery) -> None:
        """Send one claimed delivery and record how it went."""
        delivery = queued.delivery
        webhook = await self._webhooks.get(delivery.webhook_id)
        sealed = await self._webhooks.sealed_secret(delivery.webhook_id)
        if webhook is None or sealed is None:
            await self._deliveries.forget(delivery.webhook_id)
            return
        if webhook.status is WebhookStatus.DISABLED and not delivery.test:
            reason = f"webhook disabled: {webhook.disabled_reason}"
            await self._deliveries.bury(webhook.id, reason, self._clock.now_ms())
            return
        secret = str(self._sealer.open(sealed))
        sent = await self._sender.send(webhook.url, secret, delivery, queued.body)
        await self._judge.record(delivery, sent)

    async def _turn(self) -> None:
        self._awake.clear()
        room = min(PER_WEBHOOK, self._concurrency - len(self._sending))
        if room <= 0:
            await self._awake.wait()
            return
        full = [webhook for webhook, count in self._busy.items() if count >= PER_WEBHOOK]
        now_ms = self._clock.now_ms()
        claimed = await self._deliveries.claim(now_ms, self.lease_ms, room, avoid=full)
        for queued in claimed:
            self._begin(queued)
        if not claimed:
            await self._rest(now_ms)

    def _begin(self, queued: QueuedDelivery) -> None:
        webhook = queued.delivery.webhook_id
        self._busy[webhook] += 1
        task = asyncio.create_task(self.deliver(queued))
        self._sending.add(task)
        task.add_done_callback(lambda done: self._ended(done, webhook))

    def _ended(self, task: asyncio.Task[None], webhook: str) -> None:
        self._sending.discard(task)
        self._busy[webhook] -= 1
        if not self._busy[webhook]:
            del self._busy[webhook]
        self._awake.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:  # the claim runs out, and the delivery is tried again
            log.warning(
                "webhook attempt not recorded",
                webhook=webhook,
                error=str(error) or type(error).__name__,
                kind=type(error).__name__,
            )

    async def _rest(self, now_ms: int) -> None:
        due_ms = await self._deliveries.next_due_ms()
        shortest, longest = REST_S
        wait_s = longest if due_ms is None else (due_ms - now_ms) / 1_000
        try:
            async with asyncio.timeout(min(longest, max(shortest, wait_s))):
                await self._awake.wait()
        except TimeoutError:
            return
