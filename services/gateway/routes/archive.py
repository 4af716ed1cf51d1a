"""`/api/v1/workflows/archive`: executions that ended a while ago."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.gateway.access import Gate, Reader
from services.gateway.routes.executions import NDJSON, ExecutionFilters
from shared.contracts.archive import ArchivePage
from shared.ports.archive import ArchiveQuery

router = APIRouter(prefix="/api/v1/workflows/archive", tags=["executions"])

MOST_EXPORTED = 1_000_000


class ArchiveFilters(ExecutionFilters):
    """Which archived executions: all filters hold together."""

    failure: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Looked for in the text of what failed, whatever its case.",
    )
    execution: str | None = Field(None, max_length=200, description="Only the one of this id.")

    def archived(self) -> ArchiveQuery:
        """The filters as the archive takes them. Raises 422 for a cursor or a label."""
        return ArchiveQuery(self.query(), self.failure, self.execution)


class ExportFilters(ArchiveFilters):
    """Which archived executions to export, and how many at most."""

    limit: int = Field(
        MOST_EXPORTED, ge=1, le=MOST_EXPORTED, description="Most lines of the answer."
    )


@router.get("")
async def list_archive(
    gate: Gate, _reader: Reader, filters: Annotated[ArchiveFilters, Query()]
) -> ArchivePage:
    """Archived executions that fit all filters, newest first."""
    return await gate.archive.page(filters.archived())


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def export_archive(
    gate: Gate, _reader: Reader, filters: Annotated[ExportFilters, Query()]
) -> StreamingResponse:
    """Archived executions whole, one JSON object a line, newest first: each with its history."""
    query = filters.archived()

    async def lines() -> AsyncIterator[str]:
        async for one in gate.archive.export(query):
            yield one.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type=NDJSON)
