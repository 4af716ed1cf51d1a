"""Webhooks as callers use them: make, change, list, remove, enable, test, give a new secret."""

from __future__ import annotations

from services.gateway import problems
from services.gateway.parts import Parts
from services.gateway.permissions import Permission, Principal
from services.gateway.webhooks.delivery import DeliveryWorker
from services.gateway.webhooks.fanout import FanOut
from services.gateway.webhooks.signing_secrets import ForeignSecretError, SigningSecrets
from services.gateway.webhooks.targets import TargetRules
from services.gateway.webhooks.vocabulary import Vocabulary
from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import (
    AUDIT,
    Delivery,
    DeliveryPage,
    DeliveryStatus,
    IssuedWebhook,
    NewWebhook,
    Webhook,
    WebhookChanges,
    WebhookFilter,
    WebhookList,
    WebhookStatus,
)
from shared.ports.webhooks import QueuedDelivery

LIST = "GET /api/v1/webhooks lists them."


class WebhookOperations:
    """Raises 403, 404, 409 and 422."""

    def __init__(
        self,
        parts: Parts,
        worker: DeliveryWorker,
        fanout: FanOut,
        signing: SigningSecrets,
        rules: TargetRules,
        vocabulary: Vocabulary,
        *,
        limit: int,
    ) -> None:
        self._webhooks = parts.webhooks.webhooks
        self._deliveries = parts.webhooks.deliveries
        self._events = parts.events
        self._clock = parts.clock
        self._ids = parts.ids
        self._worker = worker
        self._fanout = fanout
        self._signing = signing
        self._rules = rules
        self._vocabulary = vocabulary
        self._limit = limit

    async def create(self, wanted: NewWebhook, principal: Principal) -> IssuedWebhook:
        """Make a webhook; its secret is in the answer and nowhere else in clear."""
        _check_audit(wanted.filter, principal)
        await self._vocabulary.check(wanted.filter)
        await self._rules.check_url(wanted.url)
        if len(await self._webhooks.all()) >= self._limit:
            raise problems.conflict(
                f"There are {self._limit} webhooks, and no more are allowed "
                "(HIVE_WEBHOOK_LIMIT). Remove one first."
            )
        now_ms = self._clock.now_ms()
        webhook = Webhook(
            id=self._ids.new("wh"),
            url=wanted.url,
            description=wanted.description,
            filter=wanted.filter,
            created_at_ms=now_ms,
            created_by=principal.name,
            enabled_at_ms=now_ms,
            after_seq=await self._events.last_seq(),
        )
        secret, sealed = self._signing.new()
        await self._webhooks.add(webhook, sealed)
        try:
            await self._fanout.refresh()
        except Exception:
            # Nobody would know its secret.
            await self._webhooks.remove(webhook.id)
            raise
        return IssuedWebhook(webhook=webhook, secret=secret)

    async def all(self) -> WebhookList:
        """Every webhook, newest first."""
        return WebhookList(items=tuple(await self._webhooks.all()))

    async def get(self, webhook_id: str) -> Webhook:
        """One webhook."""
        webhook = await self._webhooks.get(webhook_id)
        if webhook is None:
            raise problems.not_found("webhook", webhook_id, LIST)
        return webhook

    async def remove(self, webhook_id: str) -> None:
        """Forget a webhook and all its deliveries."""
        if not await self._webhooks.remove(webhook_id):
            raise problems.not_found("webhook", webhook_id, LIST)
        await self._deliveries.forget(webhook_id)
        await self._fanout.refresh()

    async def change(
        self, webhook_id: str, changes: WebhookChanges, principal: Principal
    ) -> Webhook:
        """Make it different; what is checked of a new one is checked here."""
        await self._changeable(webhook_id, principal)
        if changes.filter is not None:
            _check_audit(changes.filter, principal)
            await self._vocabulary.check(changes.filter)
        if changes.url is not None:
            await self._rules.check_url(changes.url)
        changed = await self._webhooks.change(webhook_id, changes, self._clock.now_ms())
        if changed is None:
            raise problems.not_found("webhook", webhook_id, LIST)
        await self._fanout.refresh()
        return changed

    async def rotate(
        self, webhook_id: str, overlap_s: float, principal: Principal
    ) -> IssuedWebhook:
        """Give it a new secret; deliveries are signed with the old one, too, for so long."""
        await self._changeable(webhook_id, principal)
        now_ms = self._clock.now_ms()
        secret, sealed = self._signing.new()
        until_ms = now_ms + round(overlap_s * 1_000)
        rotated = await self._webhooks.rotate(webhook_id, sealed, now_ms, until_ms)
        if rotated is None:
            raise problems.not_found("webhook", webhook_id, LIST)
        return IssuedWebhook(webhook=rotated, secret=secret)

    async def enable(self, webhook_id: str) -> Webhook:
        """Tell a disabled webhook again what happens from now on."""
        after_seq = await self._events.last_seq()
        webhook = await self._webhooks.enable(webhook_id, self._clock.now_ms(), after_seq)
        if webhook is None:
            raise problems.not_found("webhook", webhook_id, LIST)
        await self._fanout.refresh()
        return webhook

    async def test(self, webhook_id: str) -> Delivery:
        """Send an event `webhook.test` now, once; gives how it went."""
        webhook = await self.get(webhook_id)
        await self._check_secret(webhook_id)
        now_ms = self._clock.now_ms()
        event = PublicEvent(
            id=self._ids.new("test"),
            type="webhook.test",
            at_ms=now_ms,
            data={"webhook_id": webhook_id, "message": "It works."},
        )
        queued = self._fanout.delivery_of(webhook, event, now_ms)
        # Claimed from the first moment, so that no worker takes it up.
        claim = {"test": True, "due_at_ms": now_ms + self._worker.lease_ms}
        mine = QueuedDelivery(queued.delivery.model_copy(update=claim), queued.body)
        await self._deliveries.enqueue([mine])
        await self._worker.deliver(mine)
        return await self.delivery(mine.delivery.id)

    async def delivery(self, delivery_id: str) -> Delivery:
        """One delivery."""
        delivery = await self._deliveries.get(delivery_id)
        if delivery is None:
            raise problems.not_found(
                "delivery", delivery_id, "GET /api/v1/webhooks/{id}/deliveries lists them."
            )
        return delivery

    async def page(
        self,
        webhook_id: str | None,
        status: DeliveryStatus | None,
        before: tuple[int, str] | None,
        limit: int,
    ) -> DeliveryPage:
        """Deliveries of one webhook, or of all, newest first."""
        if webhook_id is not None:
            await self.get(webhook_id)
        found = await self._deliveries.find(
            webhook_id=webhook_id, status=status, before=before, limit=limit
        )
        full = len(found) == limit
        cursor = f"{found[-1].created_at_ms}.{found[-1].id}" if full else None
        return DeliveryPage(items=tuple(found), next_cursor=cursor)

    async def redeliver(self, delivery_id: str) -> Delivery:
        """Queue a dead delivery again, at once and with every attempt before it."""
        delivery = await self.delivery(delivery_id)
        webhook = await self.get(delivery.webhook_id)
        if webhook.status is WebhookStatus.DISABLED:
            raise problems.conflict(
                f"Webhook {webhook.id} is disabled ({webhook.disabled_reason}). Enable it first: "
                f"POST /api/v1/webhooks/{webhook.id}/enable."
            )
        queued = await self._deliveries.redeliver(delivery_id, self._clock.now_ms())
        if queued is None:
            raise problems.conflict(
                f"Delivery {delivery_id} is {delivery.status.value}, not dead; there is nothing to "
                "send again."
            )
        self._worker.wake()
        return queued

    async def _changeable(self, webhook_id: str, principal: Principal) -> None:
        """Raises 404, and 403 for one that carries the audit trail: who could point it elsewhere
        would see it."""
        _check_audit((await self.get(webhook_id)).filter, principal)

    async def _check_secret(self, webhook_id: str) -> None:
        try:
            await self._signing.of(webhook_id)
        except ForeignSecretError as error:
            raise problems.conflict(str(error)) from None


def _check_audit(wanted: WebhookFilter, principal: Principal) -> None:
    """Raises 403 when somebody who may not see the audit trail asks for it."""
    named = any(pattern.startswith(f"{AUDIT}.") for pattern in wanted.events)
    if named and not principal.may(Permission.AUDIT):
        raise problems.problem(
            "forbidden",
            f"Key {principal.name!r} may not see the audit trail. Leave out patterns that begin "
            f"with `{AUDIT}.`, or use an admin's key.",
        )
