"""Executions as the gateway gives and takes them. Times in epoch milliseconds, 0 for not yet."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.events import PublicEvent
from shared.workflow.captured import Captured
from shared.workflow.messages import Actor, Cause, Failure, Parent
from shared.workflow.names import Slug
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.state import AttemptRecord, Pause, Rollback

MAX_LABELS = 32

STEP_KEY: Final = r"^[a-z][a-z0-9_]{0,62}(\[\d{1,4}\])?$"
"""A step, or an instance of a loop: `build[3]`."""

StepKey = Annotated[str, StringConstraints(pattern=STEP_KEY)]


class RunCause(BaseModel):
    """What made the caller ask: of which kind it was, and what it was decided on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal[
        "manual", "context_detected", "pattern_matched", "external_api", "monitoring_alert"
    ] = "manual"
    evidence: dict[str, Any] = Field(
        default_factory=dict, max_length=50, description="At most 16 KiB as JSON."
    )


class ExecuteRequest(BaseModel):
    """Run a template. Without `version`: its newest release. It pauses before the steps, or the
    instances of loops (`build[3]`), in `pause_before`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template_id: Slug
    version: str | None = Field(None, max_length=200)
    parameters: dict[str, Any] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_LABELS)
    suggested_by: Actor | None = Field(
        None, description="Who or what proposed to run it; it stands in the provenance."
    )
    trigger: RunCause = RunCause()
    pause_before: tuple[StepKey, ...] = Field((), max_length=200)


class MarkView(BaseModel):
    """What a person said became of a step, and why."""

    model_config = ConfigDict(frozen=True)

    verdict: str
    by: Actor
    reason: str


class RerunView(BaseModel):
    """Which execution this one repeats, who asked for that and why."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    by: Actor
    reason: str


class StepView(BaseModel):
    """One step of an execution, or one instance of a loop. `attempts` are those that ended;
    `depends_on` are steps (a parallel group stands for its members). `command` is the kind of step
    where the engine itself carries it out (`workflow`, `switch`, `wait_for`); `child` is the
    execution that it called; `target` the agent of a fleet that an instance is for, in its
    `batch`. `marked` is what a person said became of it; `kept_from` the execution in which it was
    run, where a re-run kept it; `captured` tells what was kept before its last attempt."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = ""
    command: str = ""
    depends_on: tuple[str, ...] = ()
    status: str
    attempt: int = 0
    agent: str = ""
    scheduled_at_ms: int = 0
    started_at_ms: int = 0
    ended_at_ms: int = 0
    duration_ms: int | None = None
    output: dict[str, Any] = Field(default_factory=dict)
    failure: Failure | None = None
    reason: str = ""
    tolerated: bool = False
    attempts: tuple[AttemptRecord, ...] = ()
    child: str | None = None
    instances: int = 0
    target: str = ""
    batch: int = 0
    rounds: int = 0
    marked: MarkView | None = None
    kept_from: str | None = None
    captured: Captured | None = None


class ExecutionSummary(BaseModel):
    """One execution, as lists show it. `requested_by` is the name of who asked for it."""

    model_config = ConfigDict(frozen=True)

    id: str
    template_id: str
    template_version: str
    category: str
    status: str
    requested_by: str
    labels: dict[str, str] = Field(default_factory=dict)
    created_at_ms: int
    updated_at_ms: int
    ended_at_ms: int = 0
    duration_ms: int | None = None


class ExecutionView(BaseModel):
    """One execution in full. Sealed values are shown as `***`; steps in order of dependency. It
    will pause before the steps in `breakpoints`; `pause` is there while it is paused."""

    model_config = ConfigDict(frozen=True)

    id: str
    template_id: str
    template_version: str
    category: str
    status: str
    ended: bool
    parameters: dict[str, Any]
    requested_by: Actor
    labels: dict[str, str]
    approval: str
    approved_by: Actor | None = None
    parent: Parent | None = None
    trigger: Cause = Cause()
    section: str = ""
    breakpoints: tuple[str, ...] = ()
    pause: Pause | None = None
    rerun: RerunView | None = None
    rollback: Rollback | None = Field(None, description="How its newest rollback stands.")
    verdict: RiskVerdict | None = Field(
        None, description="What was found before it started, if it was looked at for that."
    )
    awaits_approval: tuple[str, ...] = Field((), description="The gates that are open.")
    waits_for_slots: tuple[str, ...] = Field(
        (), description="The concurrency keys of which it, or a step of it, waits for a slot."
    )
    steps: tuple[StepView, ...]
    outputs: dict[str, Any]
    failure: Failure | None = None
    stop_reason: str = ""
    version: int
    created_at_ms: int
    started_at_ms: int
    updated_at_ms: int
    ended_at_ms: int
    duration_ms: int | None = None
    archived_at_ms: int = Field(0, description="When it moved to the archive; 0: it has not.")


class ExecutionAccepted(BaseModel):
    """The answer to a request to run. `replayed` when the idempotency key was known.

    `execution` is given where the caller waited (`?wait=`) and the execution is stored by now.
    """

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    template_version: str
    replayed: bool = False
    execution: ExecutionView | None = None


class ExecutionPage(BaseModel):
    """Executions, newest first. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ExecutionSummary, ...]
    next_cursor: str | None = None


class RequestAccepted(BaseModel):
    """A request about an execution is in its journal; what came of it is in its events."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    request: str
    status_before: str


class ReasonBody(BaseModel):
    """Why, in the words of who asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field("", max_length=1_000)


class CancelBody(ReasonBody):
    """Why, and whether `finally` steps are stopped as well."""

    force: bool = False


class ResolveBody(BaseModel):
    """What became of a lost attempt. `output` counts only with the verdict `completed`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["completed", "failed", "rerun"]
    reason: str = Field("", max_length=1_000)
    output: dict[str, Any] = Field(default_factory=dict)


class ExecutionEvents(BaseModel):
    """Public events of one execution in order. `next_after` asks for those after these."""

    model_config = ConfigDict(frozen=True)

    items: tuple[PublicEvent, ...]
    next_after: int | None = None


class LogRecord(BaseModel):
    """One line that a step's command wrote."""

    model_config = ConfigDict(frozen=True)

    step: str
    attempt: int
    agent: str
    number: int
    at_ms: int
    stream: str
    text: str


class ExecutionLogs(BaseModel):
    """Lines of one execution in the order of arrival. `next_after` asks for those after these."""

    model_config = ConfigDict(frozen=True)

    items: tuple[LogRecord, ...]
    next_after: int | None = None
