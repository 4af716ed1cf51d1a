"""`/api/v1/quarantine`: messages that could not be applied."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.gateway.access import Gate, Reader, Repairer
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.quarantine import DiscardBody, QuarantineEntry, QuarantinePage
from shared.ports.quarantine import QuarantineQuery

router = APIRouter(prefix="/api/v1/quarantine", tags=["quarantine"])


@router.get("")
async def list_quarantine(
    gate: Gate,
    _reader: Reader,
    execution: Annotated[str | None, Query(max_length=200, description="Only of this one.")] = None,
    resolved: Annotated[
        bool,
        Query(description="Those that were put back or discarded, instead of those that wait."),
    ] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> QuarantinePage:
    """Journal messages that could not be applied, newest first, each with its reason."""
    query = QuarantineQuery(execution, resolved, time_and_id(cursor), limit)
    return await gate.quarantine.page(query)


@router.get("/{entry_id}")
async def get_quarantined(gate: Gate, _reader: Reader, entry_id: str) -> QuarantineEntry:
    """One of them, with the message as it came."""
    return await gate.quarantine.get(entry_id)


@router.post("/{entry_id}/retry", status_code=202)
async def retry_quarantined(gate: Gate, repairer: Repairer, entry_id: str) -> QuarantineEntry:
    """Put it back into the journal, once its cause is gone. It is applied like any other message;
    if it cannot be, it is quarantined anew."""
    return await gate.quarantine.retry(entry_id, repairer)


@router.post("/{entry_id}/discard")
async def discard_quarantined(
    gate: Gate, repairer: Repairer, entry_id: str, body: DiscardBody
) -> QuarantineEntry:
    """Say that it is not wanted, and why."""
    return await gate.quarantine.discard(entry_id, body.reason, repairer)
