"""`/api/v1/executions/{id}/…`: why an execution is as it is, how it was, and by whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.gateway.access import Gate, Reader
from services.gateway.routes.paging import MAX_NUMBER
from shared.contracts.api.explain import ExplanationView
from shared.contracts.api.replay import ProvenanceView, ReplayView

router = APIRouter(prefix="/api/v1/workflows/executions", tags=["executions"])


@router.get("/{execution_id}/explain")
async def explain_execution(gate: Gate, _reader: Reader, execution_id: str) -> ExplanationView:
    """One answer to "why is it waiting, failing or stuck?", what it waits for, since when, what
    normally happens, and a safe command to type."""
    return await gate.explaining.explain(execution_id)


@router.get("/{execution_id}/replay")
async def replay_execution(
    gate: Gate,
    _reader: Reader,
    execution_id: str,
    at: Annotated[
        int | None,
        Query(ge=1, le=MAX_NUMBER, description="The number of an event; default: the last."),
    ] = None,
) -> ReplayView:
    """The state as it was after one of its events, and where this version of the code would decide
    otherwise than was recorded."""
    return await gate.replaying.replay(execution_id, at)


@router.get("/{execution_id}/provenance")
async def get_provenance(gate: Gate, reader: Reader, execution_id: str) -> ProvenanceView:
    """Who or what suggested, started, approved and changed it."""
    return await gate.replaying.provenance(execution_id, reader)
