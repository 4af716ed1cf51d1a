"""The tools about schedules: what each does with the gateway's API."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from shared.automation.specs import ScheduleSpec
from shared.contracts.api.schedules import (
    Preview,
    PreviewRequest,
    ScheduleList,
    ScheduleView,
)
from shared.mcp.api import GatewayApi, segment
from shared.mcp.arguments import Arguments
from shared.mcp.waiting import Report

SCHEDULES: Final = "/api/v1/schedules"


class ListSchedules(Arguments):
    """Every schedule."""


class CreateSchedule(Arguments):
    """A schedule as it is to be."""

    definition: ScheduleSpec


class ControlSchedule(Arguments):
    """What to do with a schedule."""

    schedule_id: Annotated[str, Field(min_length=1, max_length=200, description="Its id, `sc_…`.")]
    action: Literal["pause", "resume"]
    reason: str = Field("", max_length=1_000)


async def listed(api: GatewayApi, _given: ListSchedules, _report: Report) -> ScheduleList:
    """Every schedule."""
    return await api.get(SCHEDULES, ScheduleList)


async def create(api: GatewayApi, given: CreateSchedule, _report: Report) -> ScheduleView:
    """Make one."""
    body = given.definition.model_dump(mode="json", exclude_unset=True)
    return await api.post(SCHEDULES, ScheduleView, body)


async def control(api: GatewayApi, given: ControlSchedule, _report: Report) -> ScheduleView:
    """Pause or resume one."""
    path = f"{SCHEDULES}/{segment(given.schedule_id)}/{given.action}"
    return await api.post(path, ScheduleView, {"reason": given.reason})


async def preview(api: GatewayApi, given: PreviewRequest, _report: Report) -> Preview:
    """Look ahead."""
    body = given.model_dump(mode="json", exclude_unset=True)
    return await api.post(f"{SCHEDULES}/preview", Preview, body)
