"""Where webhooks and their deliveries are kept, and the feed of events that they are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.events import PublicEvent
from shared.contracts.webhooks import (
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Webhook,
    WebhookChanges,
)


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """A delivery with the body that is sent, the same bytes in every attempt."""

    delivery: Delivery
    body: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. While it is `pending`, the next one is due at `due_at_ms`."""

    attempt: DeliveryAttempt
    status: DeliveryStatus
    due_at_ms: int = 0
    reason: str = ""


class WebhookStore(Protocol):
    """Webhooks and, sealed, their secrets."""

    async def add(self, webhook: Webhook, sealed_secret: str) -> None:
        """Store a new one."""
        ...

    async def get(self, webhook_id: str) -> Webhook | None:
        """One webhook."""
        ...

    async def sealed_secrets(self, webhook_id: str, now_ms: int) -> Sequence[str]:
        """Its secret, as it was given to `add` or `rotate`, then the one before while it is still
        in use; empty when there is no such webhook."""
        ...

    async def all(self) -> Sequence[Webhook]:
        """Every webhook, newest first."""
        ...

    async def remove(self, webhook_id: str) -> bool:
        """Forget it. False when it was not there."""
        ...

    async def change(self, webhook_id: str, changes: WebhookChanges, at_ms: int) -> Webhook | None:
        """Make it different; gives it as it is then."""
        ...

    async def rotate(
        self, webhook_id: str, sealed_secret: str, at_ms: int, old_until_ms: int
    ) -> Webhook | None:
        """Give it a new secret; the one before stays in use beside it until `old_until_ms`."""
        ...

    async def enable(self, webhook_id: str, at_ms: int, after_seq: int) -> Webhook | None:
        """Tell it again, with its failures forgotten; one that is enabled stays as it is."""
        ...

    async def disable(self, webhook_id: str, reason: str, at_ms: int) -> bool:
        """Tell it nothing more. True for the one call that changed it."""
        ...

    async def succeeded(self, webhook_id: str, at_ms: int) -> None:
        """It took a delivery: its failures are forgotten."""
        ...

    async def failed(self, webhook_id: str, at_ms: int) -> Webhook | None:
        """It did not take a delivery; gives it with this failure counted."""
        ...


class DeliveryStore(Protocol):
    """The queue and the log of deliveries, shared by every gateway."""

    async def enqueue(self, queued: Sequence[QueuedDelivery]) -> None:
        """Store those whose ids are not known yet."""
        ...

    async def claim(
        self, now_ms: int, lease_ms: int, limit: int, *, avoid: Sequence[str] = ()
    ) -> Sequence[QueuedDelivery]:
        """Take pending deliveries that are due, those due first come first, at most `limit`.

        Each goes to one caller, for `lease_ms`: then it is due again, for whoever claims it, unless
        it was settled. Those of the webhooks in `avoid` are left.
        """
        ...

    async def settle(self, claimed: Delivery, outcome: Outcome) -> bool:
        """Record the end of an attempt. False when the claim had ended and another took it."""
        ...

    async def release(self, claimed: Delivery, at_ms: int) -> bool:
        """Give a claim up: due at `at_ms`, as if it had not been tried. False when the claim had
        ended."""
        ...

    async def next_due_ms(self, *, avoid: Sequence[str] = ()) -> int | None:
        """When the next pending delivery is due, or a claim ends; `None` when there is none. Those
        of the webhooks in `avoid` do not count."""
        ...

    async def get(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        ...

    async def find(
        self,
        *,
        webhook_id: str | None = None,
        status: DeliveryStatus | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> Sequence[Delivery]:
        """Those that fit, newest first. `before` is creation time and id of the last one seen."""
        ...

    async def redeliver(self, delivery_id: str, at_ms: int) -> Delivery | None:
        """Queue a dead one again, with its attempts counted anew; `None` when it is not dead."""
        ...

    async def bury(self, webhook_id: str, reason: str, at_ms: int) -> int:
        """Give up all that is pending for a webhook; the number of those."""
        ...

    async def pending(self, webhook_id: str, limit: int) -> int:
        """How many are pending for a webhook, counted up to `limit`."""
        ...

    async def trim(self, webhook_id: str, *, delivered: int, dead: int) -> int:
        """Keep the newest so many of those that arrived (or were tests), and of the dead; the
        number of those forgotten."""
        ...

    async def forget(self, webhook_id: str) -> int:
        """Forget every delivery of a webhook; the number of those."""
        ...


@dataclass(frozen=True, slots=True)
class FedEvent:
    """An event out of the feed and its sequence in the stream; `receipt` acknowledges it."""

    event: PublicEvent
    seq: int
    receipt: str


class EventFeed(Protocol):
    """Public events, each to one of the processes that follow, until one acknowledges it.

    What was read and not acknowledged comes again: after a while, or at once after a restart.
    """

    async def follow(self, patterns: Sequence[str], since_ms: int) -> None:
        """Give events that fit a pattern; one that nobody followed so far begins at `since_ms`.

        Others may come too: patterns are widened at once, and narrowed only by following nothing.
        Without patterns the feed is forgotten, with its place.
        """
        ...

    async def take(self, limit: int) -> Sequence[FedEvent]:
        """Wait for events, then give at most `limit`."""
        ...

    async def acknowledge(self, events: Sequence[FedEvent]) -> None:
        """These are dealt with and do not come again."""
        ...

    async def close(self) -> None:
        """Take no more; what is not acknowledged goes to others."""
        ...
