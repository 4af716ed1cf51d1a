"""Progress lines: gathered for a moment, bounded, sent on while the command runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from services.executor.runner.identity import Held
from services.executor.runner.redaction import Redaction
from shared.contracts.tasks import LogChunk, LogLine
from shared.ports.clock import Clock
from shared.ports.logs import LogSink

GATHER_S: Final = 0.1
MOST_LINES: Final = 10_000
"""Lines kept of one attempt; what follows is counted and dropped."""
LINES_IN_CHUNK: Final = 500
LINE_CHARACTERS: Final = 4_000
CHUNK_CHARACTERS: Final = 500_000
"""Text of one chunk. A character takes up to six bytes as JSON, and a message of the bus has 8 MiB:
of a larger one every line would be lost."""


class Progress:
    """Takes the lines of one attempt."""

    def __init__(
        self, held: Held, agent: str, sink: LogSink, clock: Clock, redaction: Redaction
    ) -> None:
        self._held = held
        self._redaction = redaction
        self._hidden: set[str] = set()
        self._agent = agent
        self._sink = sink
        self._clock = clock
        self._lines: list[LogLine] = []
        self._count = 0
        self._sender: asyncio.Task[None] | None = None

    def emit(self, stream: str, text: str) -> None:
        """Take one line; returns at once. Of a sensitive stream only that it is one is told."""
        if self._redaction.hides(stream):
            if stream in self._hidden:
                return
            self._hidden.add(stream)
            stream, text = "progress", f"lines of {stream} are sensitive and not shown"
        self._count += 1
        if self._count > MOST_LINES:
            return
        line = LogLine(
            number=self._count,
            at_ms=self._clock.now_ms(),
            stream=stream,
            text=self._redaction.masked(text)[:LINE_CHARACTERS],
        )
        self._lines.append(line)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_soon())

    async def close(self) -> None:
        """Send what is left, and say how many lines were dropped."""
        dropped = self._count - MOST_LINES
        if dropped > 0:
            text = f"{dropped} more lines were not kept"
            self._lines.append(
                LogLine(
                    number=MOST_LINES + 1, at_ms=self._clock.now_ms(), stream="progress", text=text
                )
            )
        if self._sender is not None:
            await self._sender
        await self._send()

    async def _send_soon(self) -> None:
        await asyncio.sleep(GATHER_S)
        await self._send()

    async def _send(self) -> None:
        while self._lines:
            lines = _that_fit(self._lines)
            del self._lines[: len(lines)]
            chunk = LogChunk(
                execution_id=self._held.task.execution_id,
                step=self._held.task.step,
                attempt=self._held.task.attempt,
                agent=self._agent,
                lines=lines,
            )
            await self._sink.write(chunk)


def _that_fit(waiting: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """The first lines, as many as make one chunk: at least one."""
    room = CHUNK_CHARACTERS
    for number, line in enumerate(waiting[:LINES_IN_CHUNK]):
        room -= len(line.text)
        if room < 0:
            return tuple(waiting[: max(1, number)])
    return tuple(waiting[:LINES_IN_CHUNK])
