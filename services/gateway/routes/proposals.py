"""`/api/v1/proposals`: workflows that were found in what people and agents ran."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.gateway.access import Author, Gate, Reader, note
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.proposals import (
    AcceptBody,
    AcceptedWorkflow,
    FoundWorkflows,
    RejectBody,
)
from shared.ports.proposals import Standing, StoredProposal

router = APIRouter(prefix="/api/v1/proposals", tags=["proposals"])


@router.get("")
async def list_found_workflows(
    gate: Gate,
    reader: Reader,
    standing: Annotated[Standing | None, Query(description="Only those.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> FoundWorkflows:
    """Found workflows, the best first: what was found in the commands of several users, and what
    was found in one's own."""
    return await gate.proposals.page(reader, standing, time_and_id(cursor), limit)


@router.get("/{proposal_id}")
async def get_found_workflow(gate: Gate, reader: Reader, proposal_id: str) -> StoredProposal:
    """One of them: its template, what speaks for it, examples, and what to look at."""
    return await gate.proposals.get(proposal_id, reader)


@router.post("/{proposal_id}/accept")
async def accept_found_workflow(
    gate: Gate,
    author: Author,
    request: Request,
    proposal_id: str,
    body: AcceptBody | None = None,
) -> AcceptedWorkflow:
    """Store its template, or an edited one, as a version that can be run."""
    accepted = await gate.proposals.accept(proposal_id, body or AcceptBody(), author)
    template = accepted.stored.template
    note(request, template=template.id, version=template.version)
    return accepted


@router.post("/{proposal_id}/reject")
async def reject_found_workflow(
    gate: Gate, author: Author, request: Request, proposal_id: str, body: RejectBody | None = None
) -> StoredProposal:
    """Say that it is not wanted. Neither it nor what is like it is proposed again."""
    reason = (body or RejectBody()).reason
    note(request, reason=reason)
    return await gate.proposals.reject(proposal_id, reason, author)
