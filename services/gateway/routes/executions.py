"""`/api/v1/workflows/execute` and `/executions`: run workflows, watch them, intervene."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.gateway import problems
from services.gateway.access import Gate, Reader, Runner, note
from services.gateway.operations.executions import log_records
from services.gateway.routes.paging import MAX_NUMBER, MAX_PAGE, time_and_id
from shared.contracts.api.executions import (
    CancelBody,
    ExecuteRequest,
    ExecutionAccepted,
    ExecutionEvents,
    ExecutionLogs,
    ExecutionPage,
    ExecutionView,
    ReasonBody,
    RequestAccepted,
    ResolveBody,
)
from shared.contracts.api.history import ExecutionHistory
from shared.ports.executions import ExecutionQuery
from shared.workflow.machines.execution import ExecutionStatus

router = APIRouter(prefix="/api/v1/workflows", tags=["executions"])

NDJSON = "application/x-ndjson"
MAX_WAIT_S = 60.0
MAX_LOG_LINES = 10_000

After = Annotated[
    int, Query(ge=0, le=MAX_NUMBER, description="`next_after` of the page before this one.")
]
PageSize = Annotated[int, Query(ge=1, le=1_000, description="Most items in the answer.")]


@router.post("/execute", status_code=202)
async def execute_workflow(
    gate: Gate,
    runner: Runner,
    body: ExecuteRequest,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key and body again give the same execution, for 24 hours.",
        ),
    ] = None,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, description="Wait so many seconds for its end.")
    ] = 0,
) -> ExecutionAccepted:
    """Run a template. 202 means that the request is durable: the execution will reach an end."""
    accepted = await gate.executions.execute(body, runner, idempotency_key)
    request.state.subject = accepted.execution_id
    response.headers["Location"] = f"{router.prefix}/executions/{accepted.execution_id}"
    if not wait:
        return accepted
    view = await gate.executions.wait(accepted.execution_id, wait)
    return accepted.model_copy(update={"execution": view})


class ExecutionFilters(BaseModel):
    """Which executions to list: all filters hold together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: tuple[ExecutionStatus, ...] = Field((), max_length=20)
    template: str | None = Field(None, max_length=200)
    category: str | None = Field(None, max_length=200)
    requested_by: str | None = Field(None, max_length=200)
    label: str | None = Field(
        None, max_length=400, description="`name=value`, as given when it was run."
    )
    since: int | None = Field(
        None, ge=0, le=MAX_NUMBER, description="Created then or later, epoch ms."
    )
    until: int | None = Field(
        None, ge=0, le=MAX_NUMBER, description="Created then or before, epoch ms."
    )
    cursor: str | None = Field(
        None, max_length=200, description="`next_cursor` of the page before this one."
    )
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items in the answer.")

    def query(self) -> ExecutionQuery:
        """The filters as the store takes them. Raises 422 for a cursor or a label."""
        return ExecutionQuery(
            statuses=tuple(status.value for status in self.status),
            template_id=self.template,
            category=self.category,
            requested_by=self.requested_by,
            label=_label(self.label),
            since_ms=self.since,
            until_ms=self.until,
            before=time_and_id(self.cursor),
            limit=self.limit,
        )


@router.get("/executions")
async def list_executions(
    gate: Gate, _reader: Reader, filters: Annotated[ExecutionFilters, Query()]
) -> ExecutionPage:
    """Executions that fit all filters, newest first."""
    return await gate.executions.page(filters.query())


@router.get("/executions/{execution_id}")
async def get_execution(
    gate: Gate,
    _reader: Reader,
    execution_id: str,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT_S, description="Wait so many seconds for its end.")
    ] = 0,
) -> ExecutionView:
    """Status, steps, attempts, timings and outputs of one execution."""
    if wait:
        view = await gate.executions.wait(execution_id, wait)
        if view is not None:
            return view
    return await gate.executions.get(execution_id)


@router.get("/executions/{execution_id}/events")
async def list_execution_events(
    gate: Gate, _reader: Reader, execution_id: str, after: After = 0, limit: PageSize = 500
) -> ExecutionEvents:
    """What happened to it, as it was published; `after` is an event's `version`."""
    return await gate.executions.events(execution_id, after, limit)


@router.get("/executions/{execution_id}/history")
async def list_execution_history(
    gate: Gate, _reader: Reader, execution_id: str, after: After = 0, limit: PageSize = 500
) -> ExecutionHistory:
    """Every journal entry with what it led to; `after` is an entry's `seq`."""
    return await gate.executions.history(execution_id, after, limit)


@router.get(
    "/executions/{execution_id}/logs",
    response_model=ExecutionLogs,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def get_execution_logs(
    gate: Gate,
    _reader: Reader,
    execution_id: str,
    step: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,62}(\[\d{1,4}\])?$")] = None,
    attempt: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LOG_LINES)] = 1_000,
    follow: Annotated[
        bool, Query(description="Stream lines as NDJSON until the execution has ended.")
    ] = False,
) -> ExecutionLogs | StreamingResponse:
    """Lines that its steps wrote, in order of arrival."""
    if not follow:
        return await gate.executions.logs(execution_id, step, attempt, after, limit)
    await gate.executions.state(execution_id)

    async def lines() -> AsyncIterator[str]:
        async for kept in gate.executions.follow_logs(execution_id, step, attempt, after):
            for record in log_records(kept):
                yield record.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type=NDJSON)


@router.post("/executions/{execution_id}/cancel", status_code=202)
async def cancel_execution(
    gate: Gate,
    runner: Runner,
    request: Request,
    execution_id: str,
    body: CancelBody | None = None,
) -> RequestAccepted:
    """Stop it; what runs is stopped with proof. Its `finally` steps still run, without `force`."""
    asked = body or CancelBody()
    note(request, reason=asked.reason)
    return await gate.requests.cancel(execution_id, asked.reason, runner, force=asked.force)


@router.post("/executions/{execution_id}/pause", status_code=202)
async def pause_execution(
    gate: Gate,
    runner: Runner,
    request: Request,
    execution_id: str,
    body: ReasonBody | None = None,
) -> RequestAccepted:
    """Start nothing new; what runs may finish."""
    asked = body or ReasonBody()
    note(request, reason=asked.reason)
    return await gate.requests.pause(execution_id, asked.reason, runner)


@router.post("/executions/{execution_id}/resume", status_code=202)
async def resume_execution(
    gate: Gate,
    runner: Runner,
    request: Request,
    execution_id: str,
    body: ReasonBody | None = None,
) -> RequestAccepted:
    """Go on after the pause, also past a breakpoint."""
    asked = body or ReasonBody()
    note(request, reason=asked.reason)
    return await gate.requests.resume(execution_id, asked.reason, runner)


@router.post("/executions/{execution_id}/steps/{step}/resolve", status_code=202)
async def resolve_lost_step(
    gate: Gate, runner: Runner, request: Request, execution_id: str, step: str, body: ResolveBody
) -> RequestAccepted:
    """Say what became of a step whose worker died midway."""
    note(request, step=step, verdict=body.verdict, reason=body.reason)
    return await gate.requests.resolve(execution_id, step, body, runner)


def _label(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise problems.invalid_field("label", "is not `name=value`", "send for example team=web")
    return name, value
