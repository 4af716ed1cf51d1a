"""Progress lines of running commands: kept for some days, streamed live."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.tasks import LogChunk


class LogSink(Protocol):
    """Where a runner sends progress lines."""

    async def write(self, chunk: LogChunk) -> None:
        """Send lines on; best effort, the result of the step never depends on it."""
        ...


@dataclass(frozen=True, slots=True)
class SequencedLog:
    """A chunk of lines and its sequence in the stream; sequences rise, with gaps."""

    seq: int
    chunk: LogChunk


class LogStream(Protocol):
    """The stream of all progress lines."""

    def read(
        self,
        execution_id: str,
        *,
        step: str | None = None,
        attempt: int | None = None,
        after: int = 0,
        follow: bool = False,
    ) -> AsyncGenerator[SequencedLog, None]:
        """The chunks of an execution after a sequence, in order; ends when none is left, or, with
        `follow`, never. Close the iterator (`aclose`) to release it."""
        ...
