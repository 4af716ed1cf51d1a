"""The archive: found by what is searched, and exported whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.views import execution_view
from services.gateway.parts import Parts
from shared.contracts.archive import Archived, ArchivePage, ExportedExecution
from shared.contracts.publishing import masked
from shared.ports.archive import ArchiveQuery
from shared.workflow.replay import HistoryEntry

EXPORT_PAGE: Final = 50


class ArchiveOperations:
    """Reads of archived executions."""

    def __init__(self, parts: Parts, executions: ExecutionOperations) -> None:
        self._parts = parts
        self._executions = executions

    async def page(self, query: ArchiveQuery) -> ArchivePage:
        """One page, newest first."""
        found = await self._parts.archive.find(query)
        full = len(found) == query.execution.limit
        return ArchivePage(
            items=tuple(
                one.model_copy(update={"failure": masked(one.failure)[:1_000]}) for one in found
            ),
            next_cursor=f"{found[-1].created_at_ms}.{found[-1].id}" if full else None,
        )

    async def export(self, query: ArchiveQuery) -> AsyncGenerator[ExportedExecution, None]:
        """Every archived execution that fits, newest first, one at a time: they can be large."""
        limit = query.execution.limit
        while limit > 0:
            size = min(limit, EXPORT_PAGE)
            page = replace(query, execution=replace(query.execution, limit=size))
            found = await self._parts.archive.find(page)
            for summary in found:
                archived = await self._parts.archive.get(summary.id)
                if archived is not None:  # else it was deleted a moment ago
                    yield await self._exported(archived)
            if len(found) < size:
                return
            limit -= size
            before = found[-1].created_at_ms, found[-1].id
            query = replace(query, execution=replace(query.execution, before=before))

    async def _exported(self, archived: Archived) -> ExportedExecution:
        state = archived.stored.state
        view = execution_view(state, await self._executions.template(state))
        return ExportedExecution(
            execution=view.model_copy(update={"archived_at_ms": archived.archived_at_ms}),
            history=tuple(
                HistoryEntry.model_validate(masked(entry.model_dump(mode="json")))
                for entry in archived.history
            ),
        )
