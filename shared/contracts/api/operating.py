"""What operators do to executions: breakpoints, marks, run now, re-runs, and all of it in bulk."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.api.executions import MAX_LABELS, ReasonBody, StepKey
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.names import Identifier

MAX_BULK: Final = 500
"""Most executions that one bulk request touches."""

Text = Annotated[str, Field(max_length=200)]


class BreakpointsBody(ReasonBody):
    """Pause before these steps, and before those no more. An instance of a loop: `build[3]`."""

    set_before: tuple[StepKey, ...] = Field((), max_length=200)
    clear: tuple[StepKey, ...] = Field((), max_length=200)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.set_before or self.clear):
            raise ValueError("name steps in `set_before`, in `clear`, or in both")
        return self


class MarkBody(BaseModel):
    """What became of a step, by the word of a person. `output` counts with `completed` only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["completed", "failed"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1, max_length=1_000
    )
    output: dict[str, Any] = Field(default_factory=dict)


class RerunBody(ReasonBody):
    """Run an ended execution again, as a new one.

    Either from a step on (`from_step`), or what failed and what was not started (`failed_only`),
    or, with neither, everything. `parameters` replace those of the same name.
    """

    from_step: Identifier | None = None
    failed_only: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    version: str | None = Field(
        None, max_length=200, description="Of the template; default: the version that it ran."
    )
    labels: dict[str, str] = Field(default_factory=dict, max_length=MAX_LABELS)
    pause_before: tuple[StepKey, ...] = Field((), max_length=200)
    whole_children: bool = Field(
        False, description="Run a sub-workflow that failed from its beginning, not on from there."
    )
    dry_run: bool = Field(False, description="Only say what would be kept.")

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.from_step is not None and self.failed_only:
            raise ValueError("give `from_step` or `failed_only`, not both")
        return self


class RerunAnswer(BaseModel):
    """What a re-run keeps, and what runs again.

    `again` says why; steps that are decided `anew` had been skipped. `children`: by step, the
    sub-workflow in which it goes on. `approvals`: the gates whose approval holds if what they are
    about is still the same when they are reached. Without an `execution_id` it was a dry run.
    """

    model_config = ConfigDict(frozen=True)

    rerun_of: str
    execution_id: str | None = None
    template_id: str
    template_version: str
    kept: tuple[str, ...] = ()
    again: dict[str, str] = Field(default_factory=dict)
    anew: tuple[str, ...] = ()
    children: dict[str, str] = Field(default_factory=dict)
    approvals: tuple[str, ...] = ()
    dropped_parameters: tuple[str, ...] = Field(
        (), description="Those of the first run that this version does not know."
    )
    replayed: bool = False


BulkAction = Literal["cancel", "pause", "resume", "run_now", "mark", "resolve", "rerun"]


class BulkFilter(BaseModel):
    """Which executions: all conditions hold together, and there must be one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: tuple[ExecutionStatus, ...] = Field((), max_length=20)
    template: Text | None = None
    category: Text | None = None
    requested_by: Text | None = None
    label: str | None = Field(
        None, max_length=400, pattern=r"^[^=]+=", description="`name=value`, as given with the run."
    )
    since: int | None = Field(None, ge=0, le=2**53 - 1, description="Created then or later, ms.")
    until: int | None = Field(None, ge=0, le=2**53 - 1, description="Created then or before, ms.")

    @model_validator(mode="after")
    def _is_narrow(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError("give at least one condition: a status, a template, a label, a time")
        return self


class BulkBody(ReasonBody):
    """Do the same to every execution that fits. Without `dry_run: false` it only lists them.

    `run_now` and `resolve` without a step mean every step for which that can be done.
    """

    action: BulkAction
    filter: BulkFilter
    dry_run: bool = True
    limit: int = Field(100, ge=1, le=MAX_BULK, description="Most executions, newest first.")
    force: bool = Field(False, description="With `cancel`: their `finally` steps are stopped, too.")
    step: StepKey | None = Field(None, description="With `mark`, `run_now` and `resolve`.")
    verdict: Literal["completed", "failed", "rerun"] | None = Field(
        None, description="With `mark` (completed or failed) and `resolve`."
    )
    output: dict[str, Any] = Field(default_factory=dict, description="With the verdict completed.")
    rerun: RerunBody | None = Field(None, description="With `rerun`: what is to run again.")

    @model_validator(mode="after")
    def _fits_the_action(self) -> Self:
        action, given = self.action, self.model_fields_set
        takes = {
            "cancel": {"force"},
            "mark": {"step", "verdict", "output"},
            "run_now": {"step"},
            "resolve": {"step", "verdict", "output"},
            "rerun": {"rerun"},
        }.get(action, set())
        useless = (given & {"force", "step", "verdict", "output", "rerun"}) - takes
        if useless:
            raise ValueError(f"{action} takes no {', '.join(sorted(useless))}")
        if action in ("mark", "resolve") and self.verdict is None:
            raise ValueError(f"{action} needs a verdict")
        if action == "mark" and (self.step is None or self.verdict == "rerun"):
            raise ValueError("mark needs a step, and the verdict completed or failed")
        if action == "mark" and not self.reason.strip():
            raise ValueError("mark needs a reason")
        return self


class BulkItem(BaseModel):
    """What came of one execution; `detail` says why where it does not apply."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    template_id: str
    status: str
    result: Literal["would_apply", "accepted", "not_applicable", "failed"]
    detail: str = ""
    new_execution_id: str | None = None


class BulkAnswer(BaseModel):
    """What came of each, newest first. `more`: others fit, which the limit left out."""

    model_config = ConfigDict(frozen=True)

    action: BulkAction
    dry_run: bool
    items: tuple[BulkItem, ...]
    counts: dict[str, int]
    more: bool = False
