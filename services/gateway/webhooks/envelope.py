"""An event as it is sent: CloudEvents 1.0 in JSON, and the id of its delivery."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import CloudEvent

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TYPE_PREFIX: Final = "hive."


def cloud_event(event: PublicEvent, source: str) -> CloudEvent:
    """The event in its envelope; `source` is a URI that names this system."""
    moment = datetime.fromtimestamp(event.at_ms / 1_000, UTC)
    return CloudEvent(
        id=event.id,
        source=source,
        type=TYPE_PREFIX + event.type,
        subject=event.execution_id,
        time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        eventversion=event.version or None,
        templateid=event.template_id,
        templateversion=event.template_version,
        templatecategory=event.category,
        data=event.data,
    )


def body_of(event: PublicEvent, source: str) -> str:
    """The text that is sent, and signed. Attributes without a value are left out."""
    return cloud_event(event, source).model_dump_json(exclude_none=True)


def delivery_id(webhook_id: str, event_id: str) -> str:
    """The id of a delivery: the same whenever the same event is queued for the same webhook."""
    digest = hashlib.sha256(f"{webhook_id}\n{event_id}".encode()).hexdigest()
    return f"msg_{digest[:32]}"
