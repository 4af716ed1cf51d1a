"""The tool about rollbacks: what it does with the gateway's API."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
from shared.rollback.messages import Verdict

EXECUTIONS: Final = "/api/v1/workflows/executions"
ROLLBACKS: Final = "/api/v1/rollbacks"
DESCRIPTION: Final = (
    "Undoes what an execution did, by an execution of its own. By default it only previews what "
    "would be undone, in which order, and what would remain; `points` lists checkpoints. `request` "
    "does it, `status` tells how it stands, `runbook` what people do by hand; `tick` says what "
    "became of one item of a runbook."
)


class RollBack(RollbackBody):
    """Which execution, and what about its rollback. `preview` and `points` look at what would be;
    `status` and `runbook` at the newest one that was asked for. `tick` is for one that awaits
    people (strategy `manual`): with the last item it is over."""

    execution_id: ExecutionId
    action: Literal["preview", "points", "request", "status", "runbook", "tick", "cancel"] = Field(
        "preview", description="Only `request`, `tick` and `cancel` change anything."
    )
    item: Annotated[
        int | None,
        Field(ge=1, le=100_000, description="With `tick`: the item's number in the runbook."),
    ] = None
    verdict: Verdict | None = Field(None, description="With `tick`: what became of the item.")
    comment: Annotated[
        str, Field(max_length=1_000, description="With `tick`: why, or what was seen.")
    ] = ""
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="With `request`: the same key again asks for nothing new.",
        ),
    ] = None

    @model_validator(mode="after")
    def _says_what_is_ticked(self) -> Self:
        if self.action == "tick" and (self.item is None or self.verdict is None):
            raise ValueError("`tick` needs `item`, its number in the runbook, and `verdict`")
        if self.action != "tick" and (self.item, self.verdict, self.comment) != (None, None, ""):
            raise ValueError("`item`, `verdict` and `comment` go with action `tick` only")
        return self


class RolledBack(BaseModel):
    """What was asked for; the others are absent."""

    model_config = ConfigDict(frozen=True)

    plan: PlanView | None = None
    points: PointList | None = None
    accepted: RollbackAccepted | None = None
    rollback: RollbackView | None = None
    runbook: Runbook | None = None
    ticked: RollbackRequestTaken | None = None
    cancelling: RollbackRequestTaken | None = None


async def roll_back(api: GatewayApi, given: RollBack, _report: Report) -> RolledBack:
    """Look at a rollback, or ask for one."""
    execution = f"{EXECUTIONS}/{segment(given.execution_id)}"
    rollback = f"{ROLLBACKS}/{segment(given.execution_id)}"
    match given.action:
        case "preview":
            query = {"strategy": given.strategy, "to": given.to, "step": given.steps}
            return RolledBack(plan=await api.get(f"{execution}/rollback/preview", PlanView, query))
        case "points":
            return RolledBack(points=await api.get(f"{execution}/rollback-points", PointList))
        case "status":
            return RolledBack(rollback=await api.get(rollback, RollbackView))
        case "runbook":
            return RolledBack(runbook=await api.get(f"{rollback}/runbook", Runbook))
        case "tick":
            said: dict[str, Any] = {"verdict": given.verdict, "comment": given.comment}
            path = f"{rollback}/items/{given.item}"
            return RolledBack(ticked=await api.post(path, RollbackRequestTaken, said))
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
