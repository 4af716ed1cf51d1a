"""Webhooks, deliveries and events to test with."""

import time
from typing import Any

from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import Delivery, DeliveryAttempt, DeliveryStatus, Webhook
from shared.ports.webhooks import Outcome, QueuedDelivery


def webhook(number: int = 1, **fields: Any) -> Webhook:
    given = {
        "id": f"wh_{number}",
        "url": "https://hooks.example.com/x",
        "created_at_ms": 1_000 + number,
        "enabled_at_ms": 1_000 + number,
    }
    return Webhook.model_validate({**given, **fields})


def queued(number: int, due_at_ms: int = 0, **fields: Any) -> QueuedDelivery:
    given = {
        "id": f"msg_{number:03d}",
        "webhook_id": "wh_1",
        "event_id": f"ex_1.{number}",
        "event_type": "execution.completed",
        "created_at_ms": 1_000 + number,
        "due_at_ms": due_at_ms,
    }
    return QueuedDelivery(Delivery.model_validate({**given, **fields}), f'{{"number": {number}}}')


def outcome(status: str, *, number: int = 1, due_at_ms: int = 0, code: int | None = 200) -> Outcome:
    attempt = DeliveryAttempt(
        number=number, at_ms=5_000, duration_ms=12, status_code=code, error="" if code else "lost"
    )
    return Outcome(attempt, DeliveryStatus(status), due_at_ms, "why")


def event(number: int, event_type: str = "execution.completed", **fields: Any) -> PublicEvent:
    given = {
        "id": f"feed_{number}",
        "type": event_type,
        "at_ms": time.time_ns() // 1_000_000,
        "execution_id": "ex_1",
        "data": {"number": number},
    }
    return PublicEvent.model_validate({**given, **fields})
