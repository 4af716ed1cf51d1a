"""What is open in the store in memory."""

from __future__ import annotations

from collections.abc import Mapping

from shared.memory.execution_store import MemoryExecutionStore
from shared.ports.backlog import COUNT_LIMIT, OPEN, OpenExecutions
from shared.workflow.machines.execution import ExecutionStatus


class MemoryBacklog:
    """Looks at every execution of a store."""

    def __init__(self, store: MemoryExecutionStore) -> None:
        self._store = store

    async def open_executions(self) -> Mapping[ExecutionStatus, OpenExecutions]:
        """For every open status, also where there are none."""
        stored = await self._store.load(self._store.execution_ids())
        states = [found.state for found in stored.states.values()]
        return {
            status: _open([s.created_at_ms for s in states if s.status is status])
            for status in OPEN
        }

    async def quarantined(self) -> int:
        """Messages that were put aside and wait."""
        waiting = len(self._store.quarantined) - len(self._store.resolutions)
        return min(waiting, COUNT_LIMIT)


def _open(created_ms: list[int]) -> OpenExecutions:
    return OpenExecutions(min(len(created_ms), COUNT_LIMIT), min(created_ms, default=None))
