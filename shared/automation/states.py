"""States of schedules and rules: everything that a turn may look at, as one document each."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.automation.messages import Event
from shared.automation.specs import RuleSpec, ScheduleSpec
from shared.workflow.messages import Actor

RECENT: Final = 50
"""Firings that are remembered, the newest."""
REQUESTS: Final = 20
"""Requests whose outcome is remembered."""
RUNS: Final = 200
"""Executions under way that are remembered."""

Status = Literal["active", "paused", "finished", "deleted"]
T = TypeVar("T")


class Frozen(BaseModel):
    """Base of all that a state consists of."""

    model_config = ConfigDict(frozen=True)


class RequestOutcome(Frozen):
    """What became of a request: `refused` says why, empty where it was done."""

    request_id: str
    refused: str = ""


class Run(Frozen):
    """An execution that was started and has not ended."""

    execution_id: str
    moment_ms: int


class Firing(Frozen):
    """What became of one moment of a schedule, or of `count` moments up to `until_ms`."""

    moment_ms: int
    at_ms: int
    outcome: Literal["started", "missed", "overlapped", "queued", "dropped", "refused"]
    reason: str = ""
    execution_id: str = ""
    template_version: str = ""
    ended: str = Field("", description="How the execution ended.")
    count: int = 1
    until_ms: int = 0


class Automation(Frozen):
    """What schedules and rules have in common. `edition` counts what was written; a timer of
    another `generation` is stale."""

    id: str
    edition: int = 1
    status: Status = "active"
    reason: str = Field("", description="Why it is paused or finished.")
    generation: int = 0
    created_by: Actor = Actor()
    created_at_ms: int = 0
    changed_by: Actor = Actor()
    changed_at_ms: int = 0
    requests: tuple[RequestOutcome, ...] = ()
    runs: tuple[Run, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)

    def outcome_of(self, request_id: str) -> RequestOutcome | None:
        """What became of a request, as far as it is remembered."""
        return next((one for one in self.requests if one.request_id == request_id), None)


class ScheduleState(Automation):
    """One schedule. `anchor_ms` is what an interval counts from, `next_ms` the next moment, which
    is due at `due_ms`. `waiting` are moments whose run waits for an earlier one to end."""

    kind: Literal["schedule"] = "schedule"
    spec: ScheduleSpec
    anchor_ms: int = 0
    next_ms: int | None = None
    due_ms: int | None = None
    waiting: tuple[int, ...] = ()
    recent: tuple[Firing, ...] = ()


class Handled(Frozen):
    """What became of an event, or of `count` events in a row that were alike."""

    event_id: str
    event_type: str
    key: str
    at_ms: int
    outcome: Literal[
        "started",
        "unmatched",
        "deduplicated",
        "waiting",
        "debounced",
        "throttled",
        "looped",
        "failed",
        "ignored",
    ]
    reason: str = ""
    execution_id: str = ""
    template_version: str = ""
    ended: str = Field("", description="How the execution ended.")
    count: int = 1


class Pending(Frozen):
    """An event that waits until nothing more comes. Its timer is of a `generation`."""

    event: Event
    first_ms: int
    last_ms: int
    generation: int


class RuleState(Automation):
    """One rule. `seen` holds until when a key counts as known, `pending` what waits by key,
    `starts` when executions were started, as far back as the throttle looks."""

    kind: Literal["rule"] = "rule"
    spec: RuleSpec
    seen: dict[str, int] = Field(default_factory=dict)
    pending: dict[str, Pending] = Field(default_factory=dict)
    starts: tuple[int, ...] = ()
    recent: tuple[Handled, ...] = ()


A = TypeVar("A", bound=Automation)


def changed(state: A, **values: Any) -> A:
    """The state with other values."""
    return state.model_copy(update=values)


def newest(items: tuple[T, ...], item: T, most: int) -> tuple[T, ...]:
    """With one more, and only the newest `most`."""
    return (*items, item)[-most:]


def counted(counts: dict[str, int], what: str, more: int = 1) -> dict[str, int]:
    """With `more` of something."""
    return {**counts, what: counts.get(what, 0) + more}
