"""`/api/v1/workflows/executions/{id}/rollback` and `/api/v1/rollbacks`: undo what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from services.gateway.access import Gate, Reader, Runner, note
from services.gateway.routes.paging import Cursor, Limit, time_and_id
from shared.contracts.api.executions import ReasonBody, StepKey
from shared.contracts.api.rollbacks import (
    AheadBody,
    PlanView,
    PointList,
    RollbackAccepted,
    RollbackBody,
    RollbackPage,
    RollbackRequestTaken,
    RollbackView,
    Runbook,
    TickBody,
)
from shared.rollback.machine import RollbackStatus
from shared.workflow.way_back import Strategy

router = APIRouter(prefix="/api/v1", tags=["rollbacks"])

EXECUTIONS = "/workflows/executions/{execution_id}"

Checkpoint = Annotated[
    str,
    Query(
        pattern=r"^([a-z][a-z0-9_]{0,62})?$",
        description="With `checkpoint`: its name, or a step; default: the newest.",
    ),
]
Number = Annotated[int, Path(ge=1, le=100_000, description="The item, from 1.")]


@router.get(f"{EXECUTIONS}/rollback/preview")
async def preview_rollback(
    gate: Gate,
    _reader: Reader,
    execution_id: str,
    strategy: Annotated[
        Strategy | None, Query(description="Default: that of its template.")
    ] = None,
    to: Checkpoint = "",
    step: Annotated[
        list[StepKey] | None,
        Query(max_length=200, description="Only what this step did; repeatable."),
    ] = None,
) -> PlanView:
    """What a rollback would undo now, in which order, and what would remain. Nothing is run."""
    return await gate.rollbacks.preview(execution_id, strategy, to, tuple(step or ()))


@router.post("/workflows/templates/{template_id}/rollback/preview")
async def preview_rollback_ahead(
    gate: Gate, _reader: Reader, template_id: str, body: AheadBody | None = None
) -> PlanView:
    """What a rollback would undo of a complete run with these parameters, before it begins. What
    only a run makes known stands as its author wrote it."""
    return await gate.rollbacks.ahead(template_id, body or AheadBody())


@router.get(f"{EXECUTIONS}/rollback-points")
async def list_rollback_points(gate: Gate, _reader: Reader, execution_id: str) -> PointList:
    """The points to which it can be taken back, oldest first."""
    return await gate.rollbacks.points(execution_id)


@router.post(f"{EXECUTIONS}/rollback", status_code=202)
async def rollback_execution(
    gate: Gate,
    runner: Runner,
    request: Request,
    response: Response,
    execution_id: str,
    body: RollbackBody | None = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key again asks for nothing new, while that rollback is the last.",
        ),
    ] = None,
) -> RollbackAccepted:
    """Undo what it did. One that runs is brought to its end first, as the strategy says."""
    asked = body or RollbackBody()
    note(request, strategy=asked.strategy or "", to=asked.to or "", reason=asked.reason)
    accepted = await gate.rollbacks.request(execution_id, asked, runner, idempotency_key)
    response.headers["Location"] = f"{router.prefix}/rollbacks/{accepted.rollback_id}"
    return accepted


@router.get("/rollbacks")
async def list_rollbacks(
    gate: Gate,
    _reader: Reader,
    status: Annotated[RollbackStatus | None, Query(description="Only those.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> RollbackPage:
    """The newest rollback of each execution that had one, those that changed last first."""
    return await gate.rollbacks.page(
        status.value if status is not None else None, time_and_id(cursor), limit
    )


@router.get("/rollbacks/{rollback_id}")
async def get_rollback(gate: Gate, _reader: Reader, rollback_id: str) -> RollbackView:
    """One rollback, by its id or that of the execution: how it stands, and its plan."""
    return await gate.rollbacks.get(rollback_id)


@router.get("/rollbacks/{rollback_id}/runbook")
async def get_rollback_runbook(gate: Gate, _reader: Reader, rollback_id: str) -> Runbook:
    """What people do about what is not undone: Markdown with real values, host by host."""
    return await gate.rollbacks.runbook(rollback_id)


@router.post("/rollbacks/{rollback_id}/items/{number}", status_code=202)
async def tick_rollback_item(
    gate: Gate, runner: Runner, request: Request, rollback_id: str, number: Number, body: TickBody
) -> RollbackRequestTaken:
    """Say what became of one item that people undo. With the last one the rollback is over."""
    note(request, item=number, verdict=body.verdict, comment=body.comment)
    return await gate.rollbacks.tick(rollback_id, number, body, runner)


@router.post("/rollbacks/{rollback_id}/cancel", status_code=202)
async def cancel_rollback(
    gate: Gate,
    runner: Runner,
    request: Request,
    rollback_id: str,
    body: ReasonBody | None = None,
) -> RollbackRequestTaken:
    """Undo nothing more. What is being undone at the moment is stopped, with proof."""
    asked = body or ReasonBody()
    note(request, reason=asked.reason)
    return await gate.rollbacks.cancel(rollback_id, asked.reason, runner)
