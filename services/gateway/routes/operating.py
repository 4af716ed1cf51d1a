"""Routes of operators: breakpoints, marks, run now, re-runs, and bulk requests."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from services.gateway.access import Gate, Runner, note
from shared.contracts.api.executions import STEP_KEY, ReasonBody, RequestAccepted
from shared.contracts.api.operating import (
    BreakpointsBody,
    BulkAnswer,
    BulkBody,
    MarkBody,
    RerunAnswer,
    RerunBody,
)

router = APIRouter(prefix="/api/v1/workflows/executions", tags=["executions"])

Step = Annotated[str, Path(pattern=STEP_KEY)]


@router.post("/bulk", status_code=202)
async def bulk_executions(
    gate: Gate, runner: Runner, request: Request, body: BulkBody
) -> BulkAnswer:
    """Do the same to every execution that fits. Unless `dry_run` is false, only list them."""
    note(request, action=body.action, dry_run=body.dry_run, reason=body.reason)
    return await gate.bulk.run(body, runner)


@router.post("/{execution_id}/breakpoints", status_code=202)
async def set_breakpoints(
    gate: Gate, runner: Runner, request: Request, execution_id: str, body: BreakpointsBody
) -> RequestAccepted:
    """Pause before these steps, and before those no more."""
    note(request, reason=body.reason)
    return await gate.operating.set_breakpoints(execution_id, body, runner)


@router.post("/{execution_id}/steps/{step}/mark", status_code=202)
async def mark_step(
    gate: Gate, runner: Runner, request: Request, execution_id: str, step: Step, body: MarkBody
) -> RequestAccepted:
    """Say that a step is done, or failed; what runs of it is stopped first, with proof."""
    note(request, step=step, verdict=body.verdict, reason=body.reason)
    return await gate.operating.mark(execution_id, step, body, runner)


@router.post("/{execution_id}/steps/{step}/run-now", status_code=202)
async def run_step_now(
    gate: Gate,
    runner: Runner,
    request: Request,
    execution_id: str,
    step: Step,
    body: ReasonBody | None = None,
) -> RequestAccepted:
    """What the step waits for (a delay, an agent, a wait) need not be waited for any longer."""
    reason = body.reason if body else ""
    note(request, step=step, reason=reason)
    return await gate.operating.run_now(execution_id, step, reason, runner)


@router.post("/{execution_id}/rerun", status_code=202)
async def rerun_execution(
    gate: Gate,
    runner: Runner,
    request: Request,
    response: Response,
    execution_id: str,
    body: RerunBody | None = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key and body again give the same execution, for 24 hours.",
        ),
    ] = None,
) -> RerunAnswer:
    """Run an ended execution again, as a new one that keeps what need not run again."""
    asked = body or RerunBody()
    answer = await gate.reruns.rerun(execution_id, asked, runner, idempotency_key)
    note(request, reason=asked.reason, new_execution=answer.execution_id or "")
    if answer.execution_id is not None:
        response.headers["Location"] = f"{router.prefix}/{answer.execution_id}"
    return answer
