"""What people write to have workflows started: a template, its parameters, and a schedule."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from shared.automation.timetable import Timetable
from shared.workflow.messages import CauseKind
from shared.workflow.names import Expression, Model, Slug

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


OWN_EVENTS: Final = "executions"
"""The receiver of the public events of this system itself."""
MAX_WINDOW_S: Final = 7 * 86_400
MAX_STARTS: Final = 1_000


class Deduplicate(Model):
    """Of events with the same key, the first of each window counts."""

    key: Expression = Field("event.key", description="CEL; what makes two events the same.")
    window_s: int = Field(3_600, ge=1, le=MAX_WINDOW_S)


class Debounce(Model):
    """Wait until no event of the same key has come for `wait_s`, at most `at_most_s` since the
    first, and count the last one."""

    key: Expression = Field("''", description="CEL; by default all events of the rule.")
    wait_s: int = Field(ge=1, le=3_600)
    at_most_s: int = Field(300, ge=1, le=86_400)


class Throttle(Model):
    """At most so many executions in so many seconds."""

    most: int = Field(ge=1, le=MAX_STARTS)
    per_s: int = Field(ge=1, le=MAX_WINDOW_S)


class RuleSpec(Runs):
    """A rule as it is written: which events start the template, and with which parameters.

    `when` and the places `${{ … }}` in `parameters` are CEL over `event`: its `id`, `type`, `key`,
    `receiver`, `at_ms` and `data`.
    """

    kind: Literal["rule"] = "rule"
    receiver: str = Field(
        max_length=200, description=f"A receiver (`rc_…`), or `{OWN_EVENTS}`: our own events."
    )
    events: tuple[str, ...] = Field(
        ("*",), min_length=1, max_length=50, description="Types of events; `*` for any characters."
    )
    when: Expression = "true"
    trigger: CauseKind | None = Field(
        None, description="The kind of cause of its executions; by default that of its receiver."
    )
    parameters: dict[str, Any] = Field(default_factory=dict)
    deduplicate: Deduplicate = Deduplicate()
    debounce: Debounce | None = None
    throttle: Throttle | None = None
