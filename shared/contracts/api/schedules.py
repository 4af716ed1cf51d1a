"""Schedules as the gateway gives and takes them. Times in epoch milliseconds, 0 for not yet."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from shared.automation.specs import ScheduleSpec
from shared.automation.states import Firing, Run, Status
from shared.automation.timetable import Timetable

MAX_PREVIEW: Final = 100


class Moment(BaseModel):
    """A moment, and how it is written in the schedule's time zone."""

    model_config = ConfigDict(frozen=True)

    at_ms: int
    local: str


class ScheduleView(BaseModel):
    """One schedule. `edition` counts what was written; `counts` what became of its moments, and
    `recent` of the newest of them. `upcoming` is without jitter."""

    model_config = ConfigDict(frozen=True)

    id: str
    edition: int
    status: Status
    reason: str = ""
    definition: ScheduleSpec
    upcoming: tuple[Moment, ...] = ()
    due_ms: int | None = Field(None, description="When the next run starts, jitter included.")
    runs: tuple[Run, ...] = ()
    waiting: tuple[Moment, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    recent: tuple[Firing, ...] = ()
    created_by: str
    created_at_ms: int
    changed_by: str
    changed_at_ms: int
    pending: bool = Field(
        False,
        description="The request is durable, but no coordinator has taken it yet: this is what it "
        "will lead to.",
    )


class ScheduleList(BaseModel):
    """Every schedule, oldest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ScheduleView, ...]


class PreviewRequest(BaseModel):
    """A timetable to try out; `after`: from then on, by default from now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timetable: Timetable
    count: int = Field(5, ge=1, le=MAX_PREVIEW)
    after: datetime | None = None


class Preview(BaseModel):
    """The next moments of a timetable; fewer than asked for where there are not as many."""

    model_config = ConfigDict(frozen=True)

    moments: tuple[Moment, ...]
