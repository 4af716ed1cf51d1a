"""The query side of executions: what the gateway reads and coordinators wrote behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.api.executions import ExecutionSummary
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState


@dataclass(frozen=True, slots=True)
class ExecutionQuery:
    """Which executions to list; all conditions hold together. Times in epoch milliseconds.

    `awaits_approval`: only those in which a gate is open. `before` is the creation time and id of
    the last one on the page before.
    """

    statuses: tuple[str, ...] = ()
    template_id: str | None = None
    category: str | None = None
    requested_by: str | None = None
    label: tuple[str, str] | None = None
    awaits_approval: bool = False
    since_ms: int | None = None
    until_ms: int | None = None
    before: tuple[int, str] | None = None
    limit: int = 50


class ExecutionQueries(Protocol):
    """Reads of states and histories; they lag the journal by tens of milliseconds."""

    async def get(self, execution_id: str) -> ExecutionState | None:
        """The state as last stored, or `None`."""
        ...

    async def get_many(self, execution_ids: Collection[str]) -> Mapping[str, ExecutionState]:
        """The states as last stored, by id; those that are not there are left out."""
        ...

    async def find(self, query: ExecutionQuery) -> Sequence[ExecutionSummary]:
        """Those that fit, newest first, at most `query.limit`."""
        ...

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest executions of a template that have ended; very large ones are left out."""
        ...

    async def history(
        self, execution_id: str, *, after_seq: int = 0, limit: int = 500
    ) -> Sequence[HistoryEntry]:
        """Entries with a sequence above `after_seq`, in order, each once, at most `limit`."""
        ...
