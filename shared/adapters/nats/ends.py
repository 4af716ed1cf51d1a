"""The ends of executions, as they are published: for who waits for one just now."""

from __future__ import annotations

import asyncio
from typing import Final

from nats.aio.msg import Msg

from shared.adapters.nats.connection import Bus

_ENDS: Final = ("completed", "completed_with_errors", "failed", "cancelled")


class ExecutionEnds:
    """Tells the status with which executions end, to those who expect them before they do.

    It listens only from `start` on and keeps nothing: an end during a lost connection is missed, so
    who waits has a limit of its own and looks at the stored state then.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._expected: dict[str, asyncio.Future[str]] = {}

    async def start(self) -> None:
        """Listen."""
        for end in _ENDS:
            await self._bus.client.subscribe(f"hive.event.execution.{end}.*", cb=self._on_event)

    def expect(self, execution_id: str) -> asyncio.Future[str]:
        """A future of the status with which this execution ends."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._expected[execution_id] = future
        return future

    async def _on_event(self, message: Msg) -> None:
        _, _, _, status, execution_id = message.subject.split(".")
        future = self._expected.pop(execution_id, None)
        if future is not None and not future.done():
            future.set_result(status)
