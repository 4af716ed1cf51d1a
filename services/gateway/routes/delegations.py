"""`/api/v1/delegations`: tasks for people and AI agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.gateway.access import Answerer, Gate, Reader
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.collective import CompleteBody, DeclineBody, DelegationPage
from shared.contracts.delegations import Delegation, DelegationFilter, DelegationStatus

router = APIRouter(prefix="/api/v1/delegations", tags=["delegations"])

Name = Annotated[
    str | None,
    Query(max_length=200, description="In whose name, for operators; default: the key's own."),
]
Filter = Annotated[str | None, Query(max_length=200)]


@router.get("")
async def list_delegations(
    gate: Gate,
    reader: Reader,
    assignee: Filter = None,
    status: Annotated[list[DelegationStatus] | None, Query(max_length=10)] = None,
    execution: Filter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DelegationPage:
    """Those that fit, newest first. `assignee=self` are those of the key that asks."""
    before_ms, before_id = time_and_id(cursor) or (None, "")
    wanted = DelegationFilter(
        participant=reader.name if assignee == "self" else assignee,
        statuses=tuple(status or ()),
        execution_id=execution,
        before_ms=before_ms,
        before_id=before_id,
        limit=limit,
    )
    return await gate.delegations.page(wanted, reader)


@router.get("/{delegation_id}")
async def get_delegation(gate: Gate, _reader: Reader, delegation_id: str) -> Delegation:
    """One delegation, with whom it was offered to and what they said."""
    return await gate.delegations.get(delegation_id)


@router.post("/{delegation_id}/accept")
async def accept_delegation(
    gate: Gate, answerer: Answerer, delegation_id: str, participant: Name = None
) -> Delegation:
    """I will do it."""
    return await gate.delegations.accept(delegation_id, answerer, participant)


@router.post("/{delegation_id}/complete")
async def complete_delegation(
    gate: Gate,
    answerer: Answerer,
    delegation_id: str,
    body: CompleteBody,
    participant: Name = None,
) -> Delegation:
    """I have done it, and this is the result; the waiting step goes on."""
    return await gate.delegations.complete(delegation_id, body.result, answerer, participant)


@router.post("/{delegation_id}/decline")
async def decline_delegation(
    gate: Gate,
    answerer: Answerer,
    delegation_id: str,
    body: DeclineBody | None = None,
    participant: Name = None,
) -> Delegation:
    """I will not do it; it is offered to the next who fits."""
    reason = body.reason if body else ""
    return await gate.delegations.decline(delegation_id, reason, answerer, participant)
