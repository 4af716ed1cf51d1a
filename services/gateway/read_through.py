"""Executions as one, wherever they are: live, archived, or the older part here and the newer there.

The law of the archive (`shared.ports.archive`) makes this simple: where there is a live state it is
the newer one, and of the history each entry counts once, by sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.api.executions import ExecutionSummary
from shared.ports.archive import Archive
from shared.ports.executions import ExecutionQueries, ExecutionQuery
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState


class ReadThrough:
    """The query side of executions, with the archive behind it. Lists are of live ones."""

    def __init__(self, live: ExecutionQueries, archive: Archive) -> None:
        self._live = live
        self._archive = archive

    async def get(self, execution_id: str) -> ExecutionState | None:
        """The newest state, live or archived."""
        state = await self._live.get(execution_id)
        if state is not None:
            return state
        archived = await self._archive.get(execution_id)
        return archived.stored.state if archived is not None else None

    async def archived_at_ms(self, execution_id: str) -> int:
        """When it was archived; 0 where it is live, or not there at all."""
        at_ms = await self._archive.archived_at_ms(execution_id)
        return at_ms if at_ms and await self._live.get(execution_id) is None else 0

    async def find(self, query: ExecutionQuery) -> Sequence[ExecutionSummary]:
        """Live ones that fit, newest first."""
        return await self._live.find(query)

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest ended live ones of a template."""
        return await self._live.recent(template_id, limit)

    async def history(
        self, execution_id: str, *, after_seq: int = 0, limit: int = 500
    ) -> Sequence[HistoryEntry]:
        """Entries of both, in order, each once. The live ones are read first: what is archived
        meanwhile is in the archive by then."""
        live = await self._live.history(execution_id, after_seq=after_seq, limit=limit)
        if not await self._archive.archived_at_ms(execution_id):
            return live
        archived = await self._archive.get(execution_id)
        older = archived.history if archived is not None else ()
        entries = {e.seq: e for e in (*older, *live) if e.seq > after_seq}
        return [entries[seq] for seq in sorted(entries)][:limit]
