"""Progress lines of running commands: kept for some days, streamed live."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.tasks import LogChunk


class LogSink(Protocol):
    """Where a runner sends progress lines."""

    async def write(self, chunk: LogChunk) -> None:
        """Send lines on; best effort, the result of the step never depends on it."""
        ...
