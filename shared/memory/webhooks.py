"""Webhooks and their deliveries in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.webhooks import (
    ATTEMPTS_KEPT,
    Delivery,
    DeliveryStatus,
    Webhook,
    WebhookChanges,
    WebhookStatus,
)
from shared.ports.webhooks import Outcome, QueuedDelivery


class MemoryWebhookStore:
    """Keeps webhooks for as long as the process lives."""

    def __init__(self) -> None:
        self._webhooks: dict[str, Webhook] = {}
        self._secrets: dict[str, str] = {}
        self._old_secrets: dict[str, str] = {}

    async def add(self, webhook: Webhook, sealed_secret: str) -> None:
        """Store a new one."""
        self._webhooks[webhook.id] = webhook
        self._secrets[webhook.id] = sealed_secret

    async def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""
        return self._webhooks.get(webhook_id)

    async def sealed_secrets(self, webhook_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, then the one before while it is still in use."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return ()
        overlaps = now_ms < webhook.old_secret_until_ms
        old = (self._old_secrets[webhook_id],) if overlaps else ()
        return (self._secrets[webhook_id], *old)

    async def all(self) -> Sequence[Webhook]:
        """Every webhook, newest first."""
        found = self._webhooks.values()
        return sorted(found, key=lambda w: (w.created_at_ms, w.id), reverse=True)

    async def remove(self, webhook_id: str) -> bool:
        """Forget it."""
        self._secrets.pop(webhook_id, None)
        self._old_secrets.pop(webhook_id, None)
        return self._webhooks.pop(webhook_id, None) is not None

    async def change(self, webhook_id: str, changes: WebhookChanges, at_ms: int) -> Webhook | None:
        """Make it different."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        return self._change(webhook, **changes.fields(), changed_at_ms=at_ms)

    async def rotate(
        self, webhook_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Webhook | None:
        """Give it a new secret beside the one before."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        self._old_secrets[webhook_id] = self._secrets[webhook_id]
        self._secrets[webhook_id] = sealed_secret
        return self._change(webhook, rotated_at_ms=at_ms, old_secret_until_ms=old_until_ms)

    async def enable(self, webhook_id: str, at_ms: int, after_seq: int) -> Webhook | None:
        """Tell it again, with its failures forgotten."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is not None and webhook.status is WebhookStatus.DISABLED:
            self._change(
                webhook,
                status=WebhookStatus.ENABLED,
                enabled_at_ms=at_ms,
                after_seq=after_seq,
                consecutive_failures=0,
                failing_since_ms=0,
                disabled_at_ms=0,
                disabled_reason="",
            )
        return self._webhooks.get(webhook_id)

    async def disable(self, webhook_id: str, reason: str, at_ms: int) -> bool:
        """Tell it nothing more."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None or webhook.status is WebhookStatus.DISABLED:
            return False
        self._change(
            webhook, status=WebhookStatus.DISABLED, disabled_at_ms=at_ms, disabled_reason=reason
        )
        return True

    async def succeeded(self, webhook_id: str, at_ms: int) -> None:
        """It took a delivery."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is not None:
            self._change(
                webhook,
                consecutive_failures=0,
                failing_since_ms=0,
                last_success_at_ms=max(at_ms, webhook.last_success_at_ms),
            )

    async def failed(self, webhook_id: str, at_ms: int) -> Webhook | None:
        """It did not take a delivery."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        count = webhook.consecutive_failures + 1
        since_ms = webhook.failing_since_ms or at_ms
        return self._change(webhook, consecutive_failures=count, failing_since_ms=since_ms)

    def _change(self, webhook: Webhook, **fields: object) -> Webhook:
        changed = webhook.model_copy(update=fields)
        self._webhooks[webhook.id] = changed
        return changed


class MemoryDeliveryStore:
    """Keeps deliveries for as long as the process lives."""

    def __init__(self) -> None:
        self._queued: dict[str, QueuedDelivery] = {}

    async def enqueue(self, queued: Sequence[QueuedDelivery]) -> None:
        """Store those whose ids are not known yet."""
        for one in queued:
            self._queued.setdefault(one.delivery.id, one)

    async def claim(
        self, now_ms: int, lease_ms: int, limit: int, *, avoid: Sequence[str] = ()
    ) -> Sequence[QueuedDelivery]:
        """Take pending deliveries that are due."""
        due = sorted(
            (d for d in self._pending() if d.due_at_ms <= now_ms and d.webhook_id not in avoid),
            key=lambda d: d.due_at_ms,
        )
        return [self._change(d, due_at_ms=now_ms + lease_ms) for d in due[:limit]]

    async def settle(self, claimed: Delivery, outcome: Outcome) -> bool:
        """Record the end of an attempt."""
        known = self._queued.get(claimed.id)
        if known is None or not _same_claim(known.delivery, claimed):
            return False
        ended = outcome.status is not DeliveryStatus.PENDING
        self._change(
            known.delivery,
            status=outcome.status,
            attempt=claimed.attempt + 1,
            attempts=(*known.delivery.attempts, outcome.attempt)[-ATTEMPTS_KEPT:],
            due_at_ms=0 if ended else outcome.due_at_ms,
            ended_at_ms=outcome.attempt.at_ms + outcome.attempt.duration_ms if ended else 0,
            reason=outcome.reason,
        )
        return True

    async def release(self, claimed: Delivery, at_ms: int) -> bool:
        """Give a claim up."""
        known = self._queued.get(claimed.id)
        if known is None or not _same_claim(known.delivery, claimed):
            return False
        self._change(known.delivery, due_at_ms=at_ms)
        return True

    async def next_due_ms(self, *, avoid: Sequence[str] = ()) -> int | None:
        """When the next pending delivery is due, or a claim ends."""
        counted = (d.due_at_ms for d in self._pending() if d.webhook_id not in avoid)
        return min(counted, default=None)

    async def get(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        known = self._queued.get(delivery_id)
        return known.delivery if known is not None else None

    async def find(
        self,
        *,
        webhook_id: str | None = None,
        status: DeliveryStatus | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        """Those that fit, newest first."""
        fitting = [
            d
            for d in self._newest_first()
            if webhook_id in (None, d.webhook_id)
            and status in (None, d.status)
            and (before is None or (d.created_at_ms, d.id) < before)
        ]
        return fitting[:limit]

    async def redeliver(self, delivery_id: str, at_ms: int) -> Delivery | None:
        """Queue a dead one again."""
        known = self._queued.get(delivery_id)
        if known is None or known.delivery.status is not DeliveryStatus.DEAD:
            return None
        changed = self._change(
            known.delivery,
            status=DeliveryStatus.PENDING,
            attempt=0,
            due_at_ms=at_ms,
            ended_at_ms=0,
            reason="",
        )
        return changed.delivery

    async def bury(self, webhook_id: str, reason: str, at_ms: int) -> int:
        """Give up all that is pending for a webhook."""
        pending = [d for d in self._pending() if d.webhook_id == webhook_id]
        for one in pending:
            self._change(
                one, status=DeliveryStatus.DEAD, due_at_ms=0, ended_at_ms=at_ms, reason=reason
            )
        return len(pending)

    async def pending(self, webhook_id: str, limit: int) -> int:
        """How many are pending for a webhook."""
        return min(limit, sum(d.webhook_id == webhook_id for d in self._pending()))

    async def trim(self, webhook_id: str, *, delivered: int, dead: int) -> int:
        """Keep the newest so many."""
        mine = [d for d in self._newest_first() if d.webhook_id == webhook_id]
        log = [d for d in mine if d.status in (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)]
        given_up = [d for d in mine if d.status is DeliveryStatus.DEAD]
        return self._forget([*log[delivered:], *given_up[dead:]])

    async def forget(self, webhook_id: str) -> int:
        """Forget every delivery of a webhook."""
        return self._forget([d for d in self._newest_first() if d.webhook_id == webhook_id])

    def _pending(self) -> list[Delivery]:
        found = (one.delivery for one in self._queued.values())
        return [d for d in found if d.status is DeliveryStatus.PENDING]

    def _newest_first(self) -> list[Delivery]:
        found = (one.delivery for one in self._queued.values())
        return sorted(found, key=lambda d: (d.created_at_ms, d.id), reverse=True)

    def _change(self, delivery: Delivery, **fields: object) -> QueuedDelivery:
        changed = delivery.model_copy(update=fields)
        queued = QueuedDelivery(changed, self._queued[delivery.id].body)
        self._queued[delivery.id] = queued
        return queued

    def _forget(self, deliveries: Sequence[Delivery]) -> int:
        for one in deliveries:
            del self._queued[one.id]
        return len(deliveries)


def _same_claim(known: Delivery, claimed: Delivery) -> bool:
    return known.status is DeliveryStatus.PENDING and known.due_at_ms == claimed.due_at_ms
