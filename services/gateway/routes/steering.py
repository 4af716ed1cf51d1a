"""Routes that change the course of an execution that runs: signals, instances, regions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from services.gateway.access import Gate, Runner
from shared.contracts.api.executions import ReasonBody, RequestAccepted
from shared.contracts.api.steering import InstancesBody, SignalBody

router = APIRouter(prefix="/api/v1/workflows/executions", tags=["executions"])

Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


@router.post("/{execution_id}/signals/{name}", status_code=202)
async def send_signal(
    gate: Gate, runner: Runner, execution_id: str, name: Name, body: SignalBody | None = None
) -> RequestAccepted:
    """Tell it that something happened which it waits for, or will."""
    return await gate.steering.signal(execution_id, name, body or SignalBody(), runner)


@router.post("/{execution_id}/steps/{name}/instances", status_code=202)
async def add_instances(
    gate: Gate, runner: Runner, execution_id: str, name: Name, body: InstancesBody
) -> RequestAccepted:
    """Give a loop that runs more items."""
    return await gate.steering.add_instances(execution_id, name, body, runner)


@router.post("/{execution_id}/regions/{name}/cancel", status_code=202)
async def cancel_region(
    gate: Gate, runner: Runner, execution_id: str, name: Name, body: ReasonBody | None = None
) -> RequestAccepted:
    """Cancel the open steps of a region; the execution goes on."""
    reason = body.reason if body else ""
    return await gate.steering.cancel_region(execution_id, name, reason, runner)
