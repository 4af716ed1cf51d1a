"""Progress lines into the stream LOGS, without waiting for it."""

from __future__ import annotations

import structlog
from nats.errors import Error as NatsError

from shared.adapters.nats.connection import Bus
from shared.contracts import subjects
from shared.contracts.tasks import LogChunk

log = structlog.get_logger()


class NatsLogSink:
    """Publishes chunks of lines on the attempt's log subject."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def write(self, chunk: LogChunk) -> None:
        """Send lines on."""
        subject = subjects.log(chunk.execution_id, chunk.step, chunk.attempt)
        try:
            await self._bus.client.publish(subject, chunk.model_dump_json().encode())
        except NatsError as error:
            log.info("progress lines not sent", execution=chunk.execution_id, error=str(error))
