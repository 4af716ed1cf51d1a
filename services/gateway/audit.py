"""The audit trail: an event for every call that changes something, with who, what and the result.

Type `audit.<action>`; `data` holds `key`, `name`, `role`, `subject`, `result` and what else is
given. Only admins see these events. An event that cannot be published is written to the log
in full, so that nothing is lost silently.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from services.gateway.permissions import Principal
from shared.contracts.events import PublicEvent
from shared.ports.clock import Clock, Ids
from shared.ports.events import EventSink

log = structlog.get_logger()

PREFIX: Final = "audit."
PUBLISH_TIMEOUT_S: Final = 5.0


class Audit:
    """Publishes the trail."""

    def __init__(self, sink: EventSink, clock: Clock, ids: Ids) -> None:
        self._sink = sink
        self._clock = clock
        self._ids = ids

    async def record(
        self, principal: Principal, action: str, subject: str, result: str, **details: Any
    ) -> None:
        """Say that `principal` did `action` to `subject`; never raises."""
        event = PublicEvent(
            id=self._ids.new("audit"),
            type=PREFIX + action,
            at_ms=self._clock.now_ms(),
            data={
                "key": principal.key_id,
                "name": principal.name,
                "role": principal.role.value,
                "subject": subject,
                "result": result,
                **details,
            },
        )
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await self._sink.publish(event, about=subject)
        except Exception as error:
            log.exception(
                "audit event not published",
                reason=str(error) or type(error).__name__,
                audit=event.model_dump(mode="json"),
            )
