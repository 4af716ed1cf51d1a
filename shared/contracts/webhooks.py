"""Webhooks: who is told about which events, and what became of each telling.

Times are epoch milliseconds, 0 for never; durations are milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.events import PublicEvent
from shared.workflow.names import Slug

URL_LIMIT: Final = 2_048
"""Longest address of a webhook, in characters."""
FILTERS_LIMIT: Final = 50
"""Most entries in one filter of a webhook."""
ERROR_LIMIT: Final = 500
"""Longest error of a delivery attempt, in characters, with what the receiver answered."""
ATTEMPTS_KEPT: Final = 20
"""Attempts of one delivery that are kept; the oldest go first."""
OVERLAP_S: Final = 86_400.0
"""How long the secret before a new one is used beside it by default, in seconds."""
OVERLAP_LIMIT_S: Final = 30 * 86_400.0
AUDIT: Final = "audit"
"""The category of events that a pattern must name to get."""

EventPattern = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|[a-z0-9_*-]+\.[a-z0-9_*-]+)$", max_length=100),
]
"""A type of events, in which `*` stands for any characters: `execution.*`, `*.failed`, `*`."""


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebhookFilter(_Contract):
    """Which events: those that pass all three. An empty tuple lets everything pass.

    Events of no workflow (agents, memories) pass only where `templates` and `categories` are empty.
    The audit trail passes only a pattern that begins with `audit.`.
    """

    events: tuple[EventPattern, ...] = Field(("*",), min_length=1, max_length=FILTERS_LIMIT)
    templates: tuple[Slug, ...] = Field((), max_length=FILTERS_LIMIT)
    categories: tuple[Slug, ...] = Field((), max_length=FILTERS_LIMIT)

    def lets_pass(self, event: PublicEvent) -> bool:
        """Whether this event is wanted."""
        return (
            any(pattern_fits(pattern, event.type) for pattern in self.events)
            and (not self.templates or event.template_id in self.templates)
            and (not self.categories or event.category in self.categories)
        )


def pattern_fits(pattern: str, event_type: str) -> bool:
    """Whether a type of events fits a pattern."""
    if event_type.startswith(f"{AUDIT}.") and not pattern.startswith(f"{AUDIT}."):
        return False
    return fnmatchcase(event_type, pattern)


class NewWebhook(_Contract):
    """Tell this address about these events from now on."""

    url: str = Field(
        min_length=1, max_length=URL_LIMIT, description="Where to POST, for example https://…/hook."
    )
    description: str = Field("", max_length=500)
    filter: WebhookFilter = WebhookFilter()


class WebhookChanges(_Contract):
    """What is to be different about a webhook; what is left out stays. A filter is replaced whole.

    Deliveries that are queued already go to the new address, whatever the new filter says.
    """

    url: str | None = Field(None, min_length=1, max_length=URL_LIMIT)
    description: str | None = Field(None, max_length=500)
    filter: WebhookFilter | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.url is None and self.description is None and self.filter is None:
            raise ValueError("nothing is to be changed; send url, description or filter")
        return self

    def fields(self) -> dict[str, Any]:
        """The fields of a `Webhook` that are to be different."""
        return {name: value for name, value in self if value is not None}


class SecretRotation(_Contract):
    """How long deliveries are signed with the secret before, too, so that the receiver has time to
    take the new one; 0: not at all, for a secret that others may know."""

    overlap_s: float = Field(OVERLAP_S, ge=0, le=OVERLAP_LIMIT_S)


class WebhookStatus(StrEnum):
    """Whether a webhook is told anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class Webhook(_Contract):
    """A subscription, without its secret.

    It gets events that are published after it was enabled: those behind `after_seq`, the sequence
    of the newest event at that time. `consecutive_failures` counts attempts since
    the last success, `failing_since_ms` says since when. Why it was disabled: `disabled_reason`.
    Until `old_secret_until_ms` deliveries are signed with the secret before, too.
    """

    id: str
    url: str
    description: str = ""
    filter: WebhookFilter = WebhookFilter()
    status: WebhookStatus = WebhookStatus.ENABLED
    created_at_ms: int
    created_by: str = ""
    changed_at_ms: int = 0
    rotated_at_ms: int = 0
    old_secret_until_ms: int = 0
    enabled_at_ms: int
    after_seq: int = 0
    consecutive_failures: int = 0
    failing_since_ms: int = 0
    last_success_at_ms: int = 0
    disabled_at_ms: int = 0
    disabled_reason: str = ""


class IssuedWebhook(_Contract):
    """A webhook with its new secret (`whsec_…`), which is shown this once."""

    webhook: Webhook
    secret: str


class WebhookList(_Contract):
    """All webhooks, newest first."""

    items: tuple[Webhook, ...]


class DeliveryStatus(StrEnum):
    """Where a delivery stands.

    `dead`: given up; it can be sent again. `failed`: a test that did not arrive, and is not
    repeated.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    FAILED = "failed"


class DeliveryAttempt(_Contract):
    """One try. `status_code` is None where no answer came; `error` is empty for a success."""

    number: int
    at_ms: int
    duration_ms: int
    status_code: int | None = None
    error: str = ""


class Delivery(_Contract):
    """One event for one webhook. `id` is the header `webhook-id`, the same in every attempt.

    `attempt` counts the attempts since it was queued, or queued again; `due_at_ms` says when the
    next one is due, or when a claim to it ends.
    """

    id: str
    webhook_id: str
    event_id: str
    event_type: str
    test: bool = False
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempt: int = 0
    attempts: tuple[DeliveryAttempt, ...] = ()
    created_at_ms: int
    due_at_ms: int = 0
    ended_at_ms: int = 0
    reason: str = Field("", description="Why it was given up.")


class DeliveryPage(_Contract):
    """Deliveries, newest first. `next_cursor` asks for the page after this."""

    items: tuple[Delivery, ...]
    next_cursor: str | None = None


class CloudEvent(BaseModel):
    """An event as CloudEvents 1.0 in JSON (structured mode): the body of every delivery.

    `data` is the event's own. The template is given in extension attributes; `eventversion` counts
    the events of an execution, so that a receiver can put them in order.
    """

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str = Field(description="RFC 3339, in UTC.")
    datacontenttype: Literal["application/json"] = "application/json"
    eventversion: int | None = None
    templateid: str | None = None
    templateversion: str | None = None
    templatecategory: str | None = None
    data: dict[str, Any]
