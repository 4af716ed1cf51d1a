"""`/api/v1/schedules`: what runs at times."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.gateway.access import Automator, Gate, Reader
from services.gateway.routes.paging import MAX_NUMBER
from shared.automation.specs import ScheduleSpec
from shared.contracts.api.collective import Removed
from shared.contracts.api.executions import ReasonBody
from shared.contracts.api.schedules import (
    MAX_PREVIEW,
    Preview,
    PreviewRequest,
    ScheduleList,
    ScheduleView,
)

router = APIRouter(prefix="/api/v1/schedules", tags=["schedules"])

IfEdition = Annotated[
    int | None,
    Query(ge=1, le=MAX_NUMBER, description="Only if this is still its edition (409 otherwise)."),
]


@router.get("")
async def list_schedules(gate: Gate, _reader: Reader) -> ScheduleList:
    """Every schedule with its next five runs, oldest first."""
    return await gate.schedules.all()


@router.post("", status_code=201)
async def create_schedule(
    gate: Gate, automator: Automator, body: ScheduleSpec, request: Request, response: Response
) -> ScheduleView:
    """Run a template at times. Its next run is durable when this is answered."""
    made = await gate.schedules.create(body, automator)
    request.state.subject = made.id
    response.headers["Location"] = f"{router.prefix}/{made.id}"
    return made


@router.post("/preview")
async def preview_schedule(gate: Gate, _reader: Reader, body: PreviewRequest) -> Preview:
    """The next runs of a timetable that is not stored."""
    return gate.schedules.preview(body)


@router.get("/{schedule_id}")
async def get_schedule(gate: Gate, _reader: Reader, schedule_id: str) -> ScheduleView:
    """One schedule: when it runs next, what runs, and what became of its last moments."""
    return await gate.schedules.get(schedule_id)


@router.put("/{schedule_id}")
async def update_schedule(
    gate: Gate,
    automator: Automator,
    schedule_id: str,
    body: ScheduleSpec,
    if_edition: IfEdition = None,
) -> ScheduleView:
    """Write it anew. Nothing that was set before runs any more; what runs goes on."""
    return await gate.schedules.change(schedule_id, body, if_edition, automator)


@router.delete("/{schedule_id}")
async def delete_schedule(gate: Gate, automator: Automator, schedule_id: str) -> Removed:
    """Never run it again; what runs goes on."""
    await gate.schedules.delete(schedule_id, automator)
    return Removed(id=schedule_id)


@router.get("/{schedule_id}/upcoming")
async def list_upcoming_runs(
    gate: Gate,
    _reader: Reader,
    schedule_id: str,
    count: Annotated[int, Query(ge=1, le=MAX_PREVIEW)] = 5,
) -> Preview:
    """Its next runs; none while it is paused."""
    return await gate.schedules.upcoming(schedule_id, count)


@router.post("/{schedule_id}/pause")
async def pause_schedule(
    gate: Gate, automator: Automator, schedule_id: str, body: ReasonBody | None = None
) -> ScheduleView:
    """Start nothing until it is resumed; what runs goes on."""
    return await gate.schedules.pause(schedule_id, body.reason if body else "", automator)


@router.post("/{schedule_id}/resume")
async def resume_schedule(gate: Gate, automator: Automator, schedule_id: str) -> ScheduleView:
    """Go on from now; what would have run meanwhile is not made up."""
    return await gate.schedules.resume(schedule_id, automator)
