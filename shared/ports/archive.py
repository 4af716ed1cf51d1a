"""The archive: ended executions, compressed, out of the way of those that run.

The law: of an execution the archive is the older part and the live store the newer one. At every
moment the two together hold its newest state and all of its history. What is in both counts once,
by sequence; where there is a live state, that is the newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.contracts.archive import Archived, ArchivedSummary
from shared.ports.executions import ExecutionQuery


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """Which archived executions: those that fit `execution`, whose failure holds the text
    `failure`, whatever its case, and, if given, the one of this id."""

    execution: ExecutionQuery = field(default_factory=ExecutionQuery)
    failure: str | None = None
    execution_id: str | None = None


class Archive(Protocol):
    """Reads of what is archived."""

    async def get(self, execution_id: str) -> Archived | None:
        """One execution whole, as far as it is archived."""
        ...

    async def archived_at_ms(self, execution_id: str) -> int:
        """When it was archived, 0 where it is not."""
        ...

    async def find(self, query: ArchiveQuery) -> Sequence[ArchivedSummary]:
        """Those that fit, newest first, at most `query.execution.limit`."""
        ...


class Archiving(Protocol):
    """Moving ended executions into the archive, and out of it for good.

    `copy`, then `finish`: a crash between the two, or within them, loses nothing; `unfinished`
    tells what to finish. Each may be done again, by several at once.
    """

    async def templates(self) -> Sequence[str]:
        """Ids of every template that has executions, live or archived."""
        ...

    async def due(
        self, template_id: str, *, ended_before_ms: int, keep_last: int, settled_ms: int, limit: int
    ) -> Sequence[str]:
        """Ended live executions, oldest first: those that ended before the first time, and, beyond
        the newest `keep_last`, those that ended before `settled_ms`."""
        ...

    async def copy(self, execution_ids: Sequence[str], at_ms: int) -> Sequence[str]:
        """Put those that have ended into the archive; gives the ids of those that were put."""
        ...

    async def finish(self, execution_ids: Sequence[str]) -> None:
        """Remove from the live store what the archive holds, and nothing newer."""
        ...

    async def unfinished(self, limit: int) -> Sequence[str]:
        """Those that were copied and not finished."""
        ...

    async def expired(self, template_id: str, ended_before_ms: int, limit: int) -> Sequence[str]:
        """Archived executions of a template that ended before a time, oldest first."""
        ...

    async def delete(self, execution_ids: Sequence[str]) -> int:
        """Forget archived executions for ever; gives how many. One that is live again is left."""
        ...

    async def count(self) -> int:
        """About how many executions are archived."""
        ...
