"""The arguments of the tools. Their JSON Schemas are what an AI agent reads, so fields say what
they are for."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.api.approvals import SUBJECT_HASH
from shared.contracts.api.executions import (
    ExecuteRequest,
    ExecutionEvents,
    ExecutionSummary,
    StepKey,
)
from shared.contracts.api.operating import BulkBody, RerunBody
from shared.contracts.api.targets import ExecutionTargets, TargetsPreview
from shared.contracts.delegations import DelegationStatus
from shared.workflow.definition import Template
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus

MAX_WAIT_S: Final = 3_600.0
"""Longest wait for the end of an execution in one call, in seconds."""

ExecutionId = Annotated[
    str, Field(min_length=1, max_length=200, description="Id of the execution, `ex_…`.")
]
TaskId = Annotated[str, Field(min_length=1, max_length=200, description="Id of the task.")]
Limit = Annotated[int, Field(ge=1, le=200, description="Most items in the answer.")]
Cursor = Annotated[
    str | None, Field(max_length=200, description="`next_cursor` of the page before this one.")
]
Wait = Annotated[
    float,
    Field(ge=0, le=MAX_WAIT_S, description="Seconds to wait for the execution's end; 0: do not."),
]
InNameOf = Annotated[
    str | None,
    Field(max_length=200, description="In whose name, for operators; default: the key's own."),
]


class Arguments(BaseModel):
    """Base: nothing that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ListWorkflows(Arguments):
    """Which workflow templates; all conditions hold together."""

    text: str | None = Field(
        None, max_length=200, description="Looked for in id, name, description and tags."
    )
    category: str | None = Field(None, max_length=100)
    tag: str | None = Field(None, max_length=100)
    cursor: Cursor = None
    limit: Limit = 50


class ShowTargets(Arguments):
    """Whom a fleet would run on now: of a template or of a selector; or what became of the targets
    of an execution."""

    template_id: str | None = Field(None, max_length=200, description="Whom its fleets match now.")
    version: str | None = Field(None, max_length=200, description="Default: the newest release.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Of the template.")
    where: str | None = Field(
        None, max_length=2_000, description="A selector, such as agent.labels.role == 'web'."
    )
    execution_id: str | None = Field(
        None, max_length=200, description="What became of its targets."
    )
    step: str | None = Field(None, max_length=200, description="Only of this step.")
    status: tuple[StepStatus, ...] = Field((), description="Of an execution: only in one of these.")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(one is not None for one in (self.template_id, self.where, self.execution_id)) != 1:
            raise ValueError("give one of template_id, where and execution_id")
        return self


class TargetsShown(BaseModel):
    """What was asked for: `now` of a template or a selector, `became` of an execution."""

    model_config = ConfigDict(frozen=True)

    now: TargetsPreview | None = None
    became: ExecutionTargets | None = None


class CreateWorkflow(Arguments):
    """A workflow template. Its version must be new: versions never change."""

    definition: Template


class ExecuteWorkflow(ExecuteRequest):
    """Run a workflow template. Without `version`: its newest release."""

    wait_s: Wait = 0
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The same key and arguments again give the same execution, for 24 hours.",
    )


class ShowExecution(Arguments):
    """Which execution, and whether to wait for its end."""

    execution_id: ExecutionId
    wait_s: Wait = 0


class ExplainExecution(Arguments):
    """Which execution."""

    execution_id: ExecutionId


class CancelExecution(Arguments):
    """Which execution to stop, and why."""

    execution_id: ExecutionId
    reason: str = Field("", max_length=1_000)


class ControlExecution(Arguments):
    """What to do to an execution that runs. What an action does not take is refused."""

    execution_id: ExecutionId
    action: Literal["pause", "resume", "set_breakpoints", "mark", "run_now", "resolve"]
    step: StepKey | None = Field(None, description="For mark, run_now and resolve.")
    verdict: Literal["completed", "failed", "rerun"] | None = Field(
        None, description="For mark (completed or failed) and resolve."
    )
    output: dict[str, Any] | None = Field(None, description="With the verdict completed.")
    set_before: tuple[StepKey, ...] = Field((), description="For set_breakpoints.")
    clear: tuple[StepKey, ...] = Field((), description="For set_breakpoints.")
    reason: str = Field("", max_length=1_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        takes = {
            "set_breakpoints": {"set_before", "clear"},
            "mark": {"step", "verdict", "output"},
            "run_now": {"step"},
            "resolve": {"step", "verdict", "output"},
        }.get(self.action, set())
        given = {"step", "verdict", "output", "set_before", "clear"} & self.model_fields_set
        if given - takes:
            raise ValueError(f"{self.action} takes no {', '.join(sorted(given - takes))}")
        missing = sorted(
            name for name in takes & {"step", "verdict"} if getattr(self, name) is None
        )
        if missing:
            raise ValueError(f"{self.action} needs {' and '.join(missing)}")
        return self

    @property
    def path(self) -> str:
        """The end of the route that does it."""
        if self.action in ("mark", "resolve", "run_now"):
            return f"steps/{self.step}/{self.action.replace('_', '-')}"
        return "breakpoints" if self.action == "set_breakpoints" else self.action

    @property
    def body(self) -> dict[str, Any]:
        """What the route takes."""
        left_out = {"execution_id", "action", "step"}
        return self.model_dump(mode="json", exclude=left_out, exclude_defaults=True)


class RerunExecution(RerunBody):
    """Which ended execution to run again, from where, and with what changed."""

    execution_id: ExecutionId
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The same key and arguments again give the same execution, for 24 hours.",
    )


class BulkControl(BulkBody):
    """What to do, and to which executions."""


class ShowHistory(Arguments):
    """With `execution_id`: what happened to that execution. Without: past executions."""

    execution_id: ExecutionId | None = None
    after: int = Field(
        0, ge=0, description="With `execution_id`: `next_after` of the page before this one."
    )
    template_id: str | None = Field(None, max_length=200)
    category: str | None = Field(None, max_length=200)
    status: tuple[ExecutionStatus, ...] = Field((), max_length=20)
    cursor: Cursor = None
    limit: Limit = 50

    @model_validator(mode="after")
    def _one_or_many(self) -> Self:
        """What would be ignored is refused."""
        given = self.model_fields_set
        of_many = given & {"template_id", "category", "status", "cursor"}
        if self.execution_id is not None and of_many:
            raise ValueError(f"with execution_id leave out: {', '.join(sorted(of_many))}")
        if self.execution_id is None and "after" in given:
            raise ValueError("after goes with execution_id; pages of executions have a cursor")
        return self


class History(BaseModel):
    """Executions, newest first, or the events of one, in order."""

    model_config = ConfigDict(frozen=True)

    executions: tuple[ExecutionSummary, ...] = ()
    next_cursor: str | None = None
    events: ExecutionEvents | None = None


class AnswerApproval(Arguments):
    """Approve or reject an execution that awaits approval."""

    execution_id: ExecutionId
    decision: Literal["approve", "reject"]
    subject_hash: str | None = Field(
        None,
        pattern=SUBJECT_HASH,
        description="From workflow_approvals: names exactly what is approved.",
    )
    gate: str | None = Field(None, max_length=200, description="Needed where several are open.")
    comment: str = Field("", max_length=1_000)
    input: dict[str, Any] = Field(
        default_factory=dict, description="What the gate's form asks for, by name."
    )


class ListApprovals(Arguments):
    """With `execution_id`: every gate of that execution. Without: what waits for you."""

    execution_id: ExecutionId | None = None
    everybody: bool = Field(
        False, description="Also what others must answer. Without `execution_id` only."
    )
    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=50, description="Executions that are looked at.")] = 20


class ListTasks(Arguments):
    """Which delegated tasks; by default those that are yours."""

    assignee: str = Field(
        "self",
        max_length=200,
        description="`self`: those of the key that asks; a name; or empty for everybody's.",
    )
    status: tuple[DelegationStatus, ...] = Field((), max_length=10)
    execution_id: str | None = Field(None, max_length=200)
    cursor: Cursor = None
    limit: Limit = 50


class AcceptTask(Arguments):
    """You will do it. Others are not asked any more."""

    task_id: TaskId
    participant: InNameOf = None


class CompleteTask(Arguments):
    """You have done it, or will not: then it is offered to the next who fits."""

    task_id: TaskId
    outcome: Literal["completed", "declined"] = "completed"
    result: dict[str, Any] = Field(
        default_factory=dict, description="What came of it; the waiting step's output carries it."
    )
    reason: str = Field("", max_length=2_000, description="Why it is declined.")
    participant: InNameOf = None
