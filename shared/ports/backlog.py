"""What has not come to its end: executions that are open, messages that were put aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from shared.workflow.machines.execution import EXECUTION, ExecutionStatus

OPEN: Final = tuple(status for status in ExecutionStatus if status not in EXECUTION.terminal)
"""The statuses in which an execution has not ended."""

COUNT_LIMIT: Final = 100_000
"""Counting stops here: beyond, the number would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class OpenExecutions:
    """Those of one status: how many, at most COUNT_LIMIT, and when the oldest was created."""

    count: int = 0
    oldest_created_ms: int | None = None


class Backlog(Protocol):
    """Reads of what the coordinators have stored."""

    async def open_executions(self) -> Mapping[ExecutionStatus, OpenExecutions]:
        """For every status of OPEN, also where there are none."""
        ...

    async def quarantined(self) -> int:
        """Journal messages that were put aside and wait for a person; at most COUNT_LIMIT."""
        ...
