"""What an attempt means for its delivery and its webhook.

| attempt | delivery | webhook |
|---|---|---|
| answered 2xx | delivered | its failures are forgotten |
| anything else | due again later; dead after the last delay | one more failure |
| answered 410 | dead | disabled at once |
| too many failures in a row, for too long | as above | disabled |

What is pending when a webhook is disabled is dead, and can be sent again when it is enabled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.gateway.webhooks.schedule import RetrySchedule
from services.gateway.webhooks.sending import Sent
from shared.contracts.event_types import WEBHOOK_DISABLED
from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import Delivery, DeliveryStatus, Webhook
from shared.ports.clock import Clock, Ids
from shared.ports.events import EventSink
from shared.ports.webhooks import DeliveryStore, Outcome, WebhookStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DisablingRule:
    """Disable after so many failures in a row, if the first was so long ago."""

    failures: int
    after_ms: int

    def holds(self, webhook: Webhook, now_ms: int) -> bool:
        """Whether this webhook has failed for long enough."""
        long = now_ms - webhook.failing_since_ms >= self.after_ms
        return webhook.consecutive_failures >= self.failures and long


class Judge:
    """Records attempts and what follows from them."""

    def __init__(
        self,
        webhooks: WebhookStore,
        deliveries: DeliveryStore,
        sink: EventSink,
        schedule: RetrySchedule,
        rule: DisablingRule,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._webhooks = webhooks
        self._deliveries = deliveries
        self._sink = sink
        self._schedule = schedule
        self._rule = rule
        self._clock = clock
        self._ids = ids
        self.count: Callable[[str], None] = _uncounted
        """Told the outcome of every attempt that is no test: one of `metrics.DELIVERY_OUTCOMES`."""

    async def record(self, delivery: Delivery, sent: Sent) -> None:
        """Store an attempt at a claimed delivery, and what it means."""
        outcome = self._outcome(delivery, sent)
        held = await self._deliveries.settle(delivery, outcome)
        self._say(delivery, outcome, held=held)
        if delivery.test:
            return
        if sent.arrived:
            await self._webhooks.succeeded(delivery.webhook_id, self._clock.now_ms())
            return
        webhook = await self._webhooks.failed(delivery.webhook_id, sent.attempt.at_ms)
        if webhook is None:
            return
        if sent.gone:
            await self.disable(webhook.id, "the receiver answered 410 (gone)")
        elif self._rule.holds(webhook, self._clock.now_ms()):
            count = webhook.consecutive_failures
            await self.disable(
                webhook.id, f"{count} attempts in a row failed; the last: {sent.attempt.error}"
            )

    async def disable(self, webhook_id: str, reason: str) -> None:
        """Tell a webhook nothing more, and say so with an event. Once, whoever calls."""
        now_ms = self._clock.now_ms()
        if not await self._webhooks.disable(webhook_id, reason, now_ms):
            return
        given_up = await self._deliveries.bury(webhook_id, f"webhook disabled: {reason}", now_ms)
        log.warning("webhook disabled", webhook=webhook_id, reason=reason, given_up=given_up)
        event = PublicEvent(
            id=self._ids.new("webhook"),
            type=WEBHOOK_DISABLED,
            at_ms=now_ms,
            data={"webhook_id": webhook_id, "reason": reason, "given_up": given_up},
        )
        await self._sink.publish(event, about=webhook_id)

    def _outcome(self, delivery: Delivery, sent: Sent) -> Outcome:
        if sent.arrived:
            return Outcome(sent.attempt, DeliveryStatus.DELIVERED)
        error = sent.attempt.error
        if delivery.test:
            return Outcome(sent.attempt, DeliveryStatus.FAILED, reason=error)
        delay_ms = self._schedule.delay_ms(sent.attempt.number, sent.retry_after_s)
        if sent.gone or delay_ms is None:
            return Outcome(sent.attempt, DeliveryStatus.DEAD, reason=error)
        return Outcome(sent.attempt, DeliveryStatus.PENDING, self._clock.now_ms() + delay_ms)

    def _say(self, delivery: Delivery, outcome: Outcome, *, held: bool) -> None:
        pending = outcome.status is DeliveryStatus.PENDING
        counted = "retrying" if pending else outcome.status.value
        if not delivery.test:
            self.count(counted)
        attempt = outcome.attempt
        write = log.warning if outcome.status is DeliveryStatus.DEAD else log.info
        write(
            "webhook delivery",
            webhook=delivery.webhook_id,
            delivery=delivery.id,
            event_type=delivery.event_type,
            attempt=attempt.number,
            outcome=counted,
            status=attempt.status_code,
            ms=attempt.duration_ms,
            error=attempt.error or None,
            late=not held or None,
        )


def _uncounted(_outcome: str) -> None:
    return
