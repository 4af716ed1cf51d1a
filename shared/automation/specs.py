"""What people write to have workflows started: a template, its parameters, and a schedule."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from shared.automation.timetable import Timetable
from shared.workflow.names import Model, Slug

LATEST: Final = "latest"
MAX_LABELS: Final = 32
MAX_JITTER_S: Final = 86_400

Missed = Literal["skip", "run_once", "run_all"]
Overlap = Literal["allow", "skip", "queue", "cancel_older"]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Runs(Model):
    """What is run: one version of a template, or its newest release when it is time to run."""

    name: Title = Field(description="What people call it.")
    description: str = Field("", max_length=2_000)
    template_id: Slug
    template_version: str = Field(
        LATEST, max_length=200, description="One version, or `latest`: the newest release then."
    )
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_LABELS)

    @property
    def pinned(self) -> str | None:
        """The version, `None` for the newest release."""
        return None if self.template_version == LATEST else self.template_version


class ScheduleSpec(Runs):
    """A schedule as it is written.

    A run is missed when it could not be started within `missed_after_s` of its time, because
    nothing was there to start it. `run_once` makes all that were missed up by one run, `run_all` by
    one each, at most the newest `max_catch_up`.
    """

    kind: Literal["schedule"] = "schedule"
    parameters: dict[str, Any] = Field(default_factory=dict)
    timetable: Timetable
    missed: Missed = "run_once"
    missed_after_s: int = Field(60, ge=1, le=86_400)
    max_catch_up: int = Field(10, ge=1, le=100)
    overlap: Overlap = Field("skip", description="What to do while an earlier run still goes on.")
    max_queued: int = Field(10, ge=1, le=100, description="Runs that may wait with `queue`.")
    jitter_s: int = Field(
        0, ge=0, le=MAX_JITTER_S, description="Up to so many seconds later, the same every time."
    )
