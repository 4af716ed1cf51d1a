"""Approvals: `/api/v1/approvals` is the inbox; gates of an execution are under it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.gateway.access import Approver, Gate, Reader
from services.gateway.routes.paging import time_and_id
from shared.contracts.api.approvals import (
    AnswerBody,
    ApprovalPage,
    DelegateBody,
    ExecutionApprovals,
)
from shared.contracts.api.executions import RequestAccepted

router = APIRouter(tags=["approvals"])

EXECUTION = "/api/v1/workflows/executions/{execution_id}"
MAX_INBOX = 50


@router.get("/api/v1/approvals")
async def list_approvals(
    gate: Gate,
    reader: Reader,
    everybody: Annotated[
        bool, Query(description="Also what others must answer, and why this key may not.")
    ] = False,
    cursor: Annotated[
        str | None,
        Query(max_length=200, description="`next_cursor` of the page before this one."),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=MAX_INBOX, description="Most executions that are looked at.")
    ] = 20,
) -> ApprovalPage:
    """What waits for an answer of this key, with exactly what would run."""
    return await gate.approvals.inbox(reader, time_and_id(cursor), limit, everybody=everybody)


@router.get(f"{EXECUTION}/approvals")
async def list_execution_approvals(
    gate: Gate, reader: Reader, execution_id: str
) -> ExecutionApprovals:
    """Every gate of one execution: what is or was asked, and who answered what."""
    return await gate.approvals.of_execution(execution_id, reader)


@router.post(f"{EXECUTION}/approve", status_code=202)
async def approve_execution(
    gate: Gate, approver: Approver, execution_id: str, body: AnswerBody | None = None
) -> RequestAccepted:
    """Approve what an open gate asks about, named by its hash."""
    answer = body or AnswerBody()
    return await gate.approvals.answer(execution_id, answer, approver, approved=True)


@router.post(f"{EXECUTION}/reject", status_code=202)
async def reject_execution(
    gate: Gate, approver: Approver, execution_id: str, body: AnswerBody | None = None
) -> RequestAccepted:
    """Reject what an open gate asks about: the workflow ends, or the step fails."""
    answer = body or AnswerBody()
    return await gate.approvals.answer(execution_id, answer, approver, approved=False)


@router.post(f"{EXECUTION}/approvals/delegate", status_code=202)
async def delegate_approval(
    gate: Gate, approver: Approver, execution_id: str, body: DelegateBody
) -> RequestAccepted:
    """Hand one's vote to somebody else, or (to oneself) take it back."""
    return await gate.approvals.delegate(execution_id, body, approver)
