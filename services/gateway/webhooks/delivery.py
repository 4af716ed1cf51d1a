"""The worker that sends deliveries which are due. Every gateway has one; they share the queue.

A delivery is claimed for as long as one attempt can take. A gateway that dies with it lets the
claim run out, and another sends it: a receiver may get it twice, with the same `webhook-id`. One
that stops gives attempts under way a few seconds, and then gives their claims up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import Final

import structlog

from services.gateway.webhooks.judging import Judge
from services.gateway.webhooks.loops import Loop
from services.gateway.webhooks.sending import Sender
from services.gateway.webhooks.signing_secrets import ForeignSecretError, SigningSecrets
from shared.contracts.webhooks import WebhookStatus
from shared.ports.clock import Clock
from shared.ports.webhooks import DeliveryStore, QueuedDelivery, WebhookStore

log = structlog.get_logger()

PER_WEBHOOK: Final = 4
"""Attempts at one webhook at once: a slow receiver does not hold up the others."""
LEASE_MARGIN_S: Final = 10.0
"""How much longer than an attempt's timeout a claim lasts: its result must be stored by then."""
REST_S: Final = (0.1, 2.0)
"""Shortest and longest rest while nothing is due: other gateways queue deliveries, too."""
LEFT_S: Final = 10.0
"""How long a webhook whose secret cannot be opened here is left to other gateways."""
GIVE_UP_S: Final = 1.0
"""How long giving a claim up may take while stopping; otherwise it runs out."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Attempts at once, the longest that one may take, and how long stopping waits for them."""

    concurrency: int
    timeout_s: float
    grace_s: float


class DeliveryWorker:
    """Claims, sends, records."""

    def __init__(
        self,
        webhooks: WebhookStore,
        deliveries: DeliveryStore,
        sender: Sender,
        judge: Judge,
        signing: SigningSecrets,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._sender = sender
        self._judge = judge
        self._signing = signing
        self._clock = clock
        self._pace = pace
        self._awake = asyncio.Event()
        self._busy: Counter[str] = Counter()
        self._left: dict[str, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._loop = Loop("webhooks send", self._turn)

    @property
    def lease_ms(self) -> int:
        """How long a claim lasts."""
        return round((self._pace.timeout_s + LEASE_MARGIN_S) * 1_000)

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    async def close(self) -> None:
        """Claim nothing more, let attempts under way end within the grace, give up the rest."""
        await self._loop.close()
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=self._pace.grace_s)
            for task in late:
                task.cancel()
            if late:
                log.info("webhook attempts given up to stop", attempts=len(late))
                await asyncio.wait(late)
        await self._sender.close()

    async def deliver(self, queued: QueuedDelivery) -> None:
        """Send one claimed delivery and record how it went. Raises `ForeignSecretError`."""
        delivery = queued.delivery
        webhook = await self._webhooks.get(delivery.webhook_id)
        if webhook is None:
            await self._deliveries.forget(delivery.webhook_id)
            return
        if webhook.status is WebhookStatus.DISABLED and not delivery.test:
            reason = f"webhook disabled: {webhook.disabled_reason}"
            await self._deliveries.bury(webhook.id, reason, self._clock.now_ms())
            return
        signing = await self._signing.of(webhook.id)
        if not signing:  # removed meanwhile
            return
        sent = await self._sender.send(webhook.url, signing, delivery, queued.body)
        await self._judge.record(delivery, sent)

    async def _turn(self) -> None:
        self._awake.clear()
        room = min(PER_WEBHOOK, self._pace.concurrency - len(self._sending))
        if room <= 0:
            await self._awake.wait()
            return
        full = [webhook for webhook, count in self._busy.items() if count >= PER_WEBHOOK]
        avoid = [*full, *self._left_to_others()]
        now_ms = self._clock.now_ms()
        claimed = await self._deliveries.claim(now_ms, self.lease_ms, room, avoid=avoid)
        for queued in claimed:
            self._begin(queued)
        if not claimed:
            await self._rest(now_ms, avoid)

    def _left_to_others(self) -> list[str]:
        """Webhooks whose secrets could not be opened here of late."""
        now = asyncio.get_running_loop().time()
        self._left = {webhook: until for webhook, until in self._left.items() if until > now}
        return list(self._left)

    def _begin(self, queued: QueuedDelivery) -> None:
        webhook = queued.delivery.webhook_id
        self._busy[webhook] += 1
        task = asyncio.create_task(self._attempt(queued))
        self._sending.add(task)
        task.add_done_callback(lambda done: self._ended(done, webhook))

    async def _attempt(self, queued: QueuedDelivery) -> None:
        """Deliver; a claim that this gateway can do nothing with is given up at once."""
        try:
            await self.deliver(queued)
        except ForeignSecretError as error:
            self._left[queued.delivery.webhook_id] = asyncio.get_running_loop().time() + LEFT_S
            log.warning("webhook left to other gateways", reason=str(error))
            await self._give_up(queued)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):  # the claim runs out instead
                async with asyncio.timeout(GIVE_UP_S):
                    await self._give_up(queued)
            raise

    async def _give_up(self, queued: QueuedDelivery) -> None:
        await self._deliveries.release(queued.delivery, self._clock.now_ms())

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

    async def _rest(self, now_ms: int, avoid: list[str]) -> None:
        due_ms = await self._deliveries.next_due_ms(avoid=avoid)
        shortest, longest = REST_S
        wait_s = longest if due_ms is None else (due_ms - now_ms) / 1_000
        try:
            async with asyncio.timeout(min(longest, max(shortest, wait_s))):
                await self._awake.wait()
        except TimeoutError:
            return
