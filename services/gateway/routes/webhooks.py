"""`/api/v1/webhooks`: who else is told what happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.access import Gate, WebhookKeeper
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.collective import Removed
from shared.contracts.webhooks import (
    Delivery,
    DeliveryPage,
    DeliveryStatus,
    IssuedWebhook,
    NewWebhook,
    SecretRotation,
    Webhook,
    WebhookChanges,
    WebhookList,
)

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])


@router.get("")
async def list_webhooks(gate: Gate, _keeper: WebhookKeeper) -> WebhookList:
    """Every webhook, newest first, without secrets."""
    return await gate.webhooks.operations.all()


@router.post("", status_code=201)
async def create_webhook(
    gate: Gate, keeper: WebhookKeeper, body: NewWebhook, request: Request
) -> IssuedWebhook:
    """Tell an address about events from now on. The secret is in this answer and is never shown
    again."""
    issued = await gate.webhooks.operations.create(body, keeper)
    request.state.subject = issued.webhook.id
    return issued


@router.get("/dead-letters")
async def list_dead_letters(
    gate: Gate, _keeper: WebhookKeeper, cursor: Cursor = None, limit: Limit = 50
) -> DeliveryPage:
    """Deliveries that were given up, of all webhooks, newest first."""
    before = time_and_id(cursor)
    return await gate.webhooks.operations.page(None, DeliveryStatus.DEAD, before, limit)


@router.post("/dead-letters/{delivery_id}/redeliver", status_code=202)
async def redeliver_dead_letter(gate: Gate, _keeper: WebhookKeeper, delivery_id: str) -> Delivery:
    """Send one that was given up again, with the same body and `webhook-id`."""
    return await gate.webhooks.operations.redeliver(delivery_id)


@router.get("/{webhook_id}")
async def get_webhook(gate: Gate, _keeper: WebhookKeeper, webhook_id: str) -> Webhook:
    """One webhook, and whether it takes what it is sent."""
    return await gate.webhooks.operations.get(webhook_id)


@router.patch("/{webhook_id}")
async def update_webhook(
    gate: Gate, keeper: WebhookKeeper, webhook_id: str, body: WebhookChanges
) -> Webhook:
    """Change its address, description or filter; what is left out stays as it is."""
    return await gate.webhooks.operations.change(webhook_id, body, keeper)


@router.post("/{webhook_id}/rotate-secret")
async def rotate_webhook_secret(
    gate: Gate, keeper: WebhookKeeper, webhook_id: str, body: SecretRotation | None = None
) -> IssuedWebhook:
    """Give it a new secret, shown in this answer alone. Until the overlap ends, deliveries carry
    two signatures, of the new and of the old secret: a receiver changes over at its leisure."""
    overlap_s = (body or SecretRotation()).overlap_s
    return await gate.webhooks.operations.rotate(webhook_id, overlap_s, keeper)


@router.delete("/{webhook_id}")
async def delete_webhook(gate: Gate, _keeper: WebhookKeeper, webhook_id: str) -> Removed:
    """Tell it nothing more, and forget it with its deliveries."""
    await gate.webhooks.operations.remove(webhook_id)
    return Removed(id=webhook_id)


@router.post("/{webhook_id}/enable")
async def enable_webhook(gate: Gate, _keeper: WebhookKeeper, webhook_id: str) -> Webhook:
    """Tell a disabled one again what happens from now on; what was given up stays dead."""
    return await gate.webhooks.operations.enable(webhook_id)


@router.post("/{webhook_id}/test")
async def send_test(gate: Gate, _keeper: WebhookKeeper, webhook_id: str) -> Delivery:
    """Send an event `webhook.test` now, once, and answer how it went."""
    return await gate.webhooks.operations.test(webhook_id)


@router.get("/{webhook_id}/deliveries")
async def list_deliveries(
    gate: Gate,
    _keeper: WebhookKeeper,
    webhook_id: str,
    status: Annotated[DeliveryStatus | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """The log of a webhook: what was sent, when, how long it took, what was answered."""
    before = time_and_id(cursor)
    return await gate.webhooks.operations.page(webhook_id, status, before, limit)
