"""The tool about rollbacks: what it does with the gateway's API."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.api.rollbacks import (
    PlanView,
    PointList,
    RollbackAccepted,
    RollbackBody,
    RollbackRequestTaken,
    RollbackView,
    Runbook,
)
from shared.mcp.api import GatewayApi, segment
from shared.mcp.arguments import ExecutionId
from shared.mcp.waiting import Report

EXECUTIONS: Final = "/api/v1/workflows/executions"
ROLLBACKS: Final = "/api/v1/rollbacks"
DESCRIPTION: Final = (
    "Undoes what an execution did, by an execution of its own. By default it only previews what "
    "would be undone, in which order, and what would remain; `points` lists checkpoints. `request` "
    "does it, `status` tells how it stands, `runbook` what people do by hand."
)


class RollBack(RollbackBody):
    """Which execution, and what about its rollback. `preview` and `points` look at what would be;
    `status` and `runbook` at the newest one that was asked for."""

    execution_id: ExecutionId
    action: Literal["preview", "points", "request", "status", "runbook", "cancel"] = Field(
        "preview", description="Only `request` and `cancel` change anything."
    )
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="With `request`: the same key again asks for nothing new.",
        ),
    ] = None


class RolledBack(BaseModel):
    """What was asked for; the others are absent."""

    model_config = ConfigDict(frozen=True)

    plan: PlanView | None = None
    points: PointList | None = None
    accepted: RollbackAccepted | None = None
    rollback: RollbackView | None = None
    runbook: Runbook | None = None
    cancelling: RollbackRequestTaken | None = None


async def roll_back(api: GatewayApi, given: RollBack, _report: Report) -> RolledBack:
    """Look at a rollback, or ask for one."""
    execution = f"{EXECUTIONS}/{segment(given.execution_id)}"
    rollback = f"{ROLLBACKS}/{segment(given.execution_id)}"
    match given.action:
        case "preview":
            query = {"strategy": given.strategy, "to": given.to}
            return RolledBack(plan=await api.get(f"{execution}/rollback/preview", PlanView, query))
        case "points":
            return RolledBack(points=await api.get(f"{execution}/rollback-points", PointList))
        case "status":
            return RolledBack(rollback=await api.get(rollback, RollbackView))
        case "runbook":
            return RolledBack(runbook=await api.get(f"{rollback}/runbook", Runbook))
        case "cancel":
            body = {"reason": given.reason}
            path = f"{rollback}/cancel"
            return RolledBack(cancelling=await api.post(path, RollbackRequestTaken, body))
        case "request":
            return RolledBack(accepted=await _request(api, given, f"{execution}/rollback"))


async def _request(api: GatewayApi, given: RollBack, path: str) -> RollbackAccepted:
    wanted = set(RollbackBody.model_fields)
    body = given.model_dump(mode="json", include=wanted, exclude_defaults=True)
    key = given.idempotency_key
    headers = {"Idempotency-Key": key} if key else None
    return await api.post(path, RollbackAccepted, body, headers=headers)
