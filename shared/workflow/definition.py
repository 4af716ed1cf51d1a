"""The workflow template: what an author writes, as one frozen model.

The law of a template:

* It is immutable. `(id, version)` names exactly one definition for ever; a change is a new version.
* Everything is typed. Parameters are JSON Schema; forms, pre-filling, validation and tool schemas
  derive from them.
* Strings may hold `${{ expr }}`; `when`, `validation_checks` and `success_criteria` are bare CEL.
* Unknown fields are errors: a misspelt `depend_on` must never be ignored.

Only what a model can say about itself is checked here. What needs the whole (references, cycles,
types of expressions) is checked where the definition becomes a program: `shared.workflow.program`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from shared.workflow.approval_rule import Approval
from shared.workflow.declared import Parameter
from shared.workflow.fleets import Target
from shared.workflow.flow import Concurrency, Flow
from shared.workflow.names import Expression, Identifier, Model, Slug
from shared.workflow.retry_rule import Retry
from shared.workflow.validation_policy import ValidationPolicy
from shared.workflow.way_back import Capture, RollbackAction, RollbackPolicy

MAX_STEPS: Final = 1_000
MAX_PARAMETERS: Final = 100
MAX_TEXT: Final = 4_000
GENERATED: Final = "rollback."
"""Ids of templates that are made for rollbacks begin so; authors' own do not."""

MAX_SITUATIONS: Final = 200

Situation = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
"""A text that a template is the answer to: an alert, a ticket, a question, a sentence."""

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_PRE: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD: Final = r"[0-9A-Za-z-]+"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+{_BUILD}(\.{_BUILD})*)?"
)
MAX_VERSION: Final = 128

VersionKey = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


class OnLost(StrEnum):
    """What happens to a step whose worker died midway, so that its outcome is unknown."""

    FAIL = "fail"
    RERUN = "rerun"
    ASK = "ask"


_KINDS: Final = ("command", "workflow", "switch", "wait_for")


def _kept(error: ErrorDetails) -> InitErrorDetails:
    """A problem that was found, to be raised again together with another one."""
    return InitErrorDetails(
        type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
    )


class Step(Flow):
    """One node of the template's graph: a command that an agent runs, a sub-workflow, or what the
    engine decides by itself, a switch or a wait."""

    id: Identifier
    name: str = Field("", max_length=200)
    description: str = Field("", max_length=MAX_TEXT)
    command: Slug = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    depends_on: tuple[Identifier, ...] = Field((), description="Step ids or parallel groups.")
    parallel_group: Identifier | None = None
    when: Expression | None = None
    approval: Approval | None = Field(
        None, description="A gate before the step: it asks when the step is ready to run."
    )
    required_capabilities: tuple[Slug, ...] = Field((), description="It takes all of these.")
    any_capabilities: tuple[Slug, ...] = Field((), description="It takes one of these.")
    target: Target = Field(default_factory=Target)
    timeout_s: float = Field(300.0, gt=0, le=30 * 86_400)
    start_timeout_s: float = Field(
        60.0, gt=0, le=86_400, description="How long the step may wait for an agent that fits."
    )
    retry: Retry = Field(default_factory=Retry)
    continue_on_failure: bool = False
    idempotent: bool = False
    on_lost: OnLost | None = Field(
        None,
        description="Default: `rerun` where running it twice does no harm (`idempotent`, or a "
        "command without effects), `fail` for any other step.",
    )
    validation_checks: tuple[Expression, ...] = ()
    success_criteria: tuple[Expression, ...] = ()
    rollback: RollbackAction | None = Field(None, description="What undoes the step.")
    capture: Capture | None = Field(
        None, description="What is kept before the step, beside what its command keeps by itself."
    )
    irreversible: str = Field(
        "",
        max_length=500,
        description="Why nothing can undo the step, which is known and accepted.",
    )
    checkpoint: Identifier | None = Field(
        None, description="A name for the point before the step, to which one can go back."
    )
    sensitive: tuple[str, ...] = Field((), description="Output fields that are sealed and masked.")

    @property
    def asks(self) -> Approval | None:
        """What people are asked here, if anything: before the step, or as an option of its wait."""
        return self.approval or (self.wait_for.approval if self.wait_for is not None else None)

    @property
    def kind(self) -> str:
        """Its command, or what the engine itself carries out."""
        engine = ("workflow", "switch", "wait_for")
        return self.command or next(name for name in engine if getattr(self, name) is not None)

    @model_validator(mode="wrap")
    @classmethod
    def _has_a_kind(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A step that is nothing lacks its command, beside whatever else is wrong with it."""
        if not isinstance(data, dict) or any(data.get(kind) is not None for kind in _KINDS):
            return handler(data)
        try:
            handler({**data, "command": "x"})
        except ValidationError as error:
            others = [_kept(one) for one in error.errors(include_url=False)]
        else:
            others = []
        missing = InitErrorDetails(type="missing", loc=("command",), input=data)
        raise ValidationError.from_exception_data(cls.__name__, [missing, *others])

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(_KINDS)}; found {' and '.join(given)}")
        for field in ("foreach", "until", "parameters", "concurrency"):
            if given[0] in ("switch", "wait_for") and getattr(self, field):
                raise ValueError(f"a {given[0]} has no `{field}`")
        if self.target.is_fleet and (given[0] in ("switch", "wait_for") or self.foreach):
            what = "foreach" if self.foreach else given[0]
            raise ValueError(f"`target.where` runs a command once for each agent; not {what}")
        if self.otherwise and self.when is None:
            raise ValueError("`else` needs a `when`")
        if self.irreversible and self.rollback is not None:
            raise ValueError("either `irreversible` or a `rollback`, not both")
        if self.irreversible and self.capture is not None:
            raise ValueError("what is `irreversible` needs no `capture`: nothing is put back")
        if self.approval is not None and self.wait_for is not None and self.wait_for.approval:
            raise ValueError("ask once: before the wait (`approval`), or as one of its options")
        return self


class Notification(Model):
    """A message to people when an execution reaches one of these ends, or its rollback begins
    (`rolling_back`: by strategy `manual` people are awaited then) or ends."""

    on: tuple[
        Literal[
            "completed",
            "completed_with_errors",
            "failed",
            "cancelled",
            "rolling_back",
            "rolled_back",
            "rollback_incomplete",
            "rollback_failed",
        ],
        ...,
    ]
    severity: Literal["info", "warning", "critical"] = "info"
    message: str = Field("", max_length=1_000)


class Retention(Model):
    """How long executions are kept; what is left out is as the coordinators are set. Days count
    from an execution's end."""

    keep_days: float | None = Field(
        None, gt=0, le=36_500, description="Then it moves to the archive, where it stays readable."
    )
    keep_last: int | None = Field(
        None, ge=0, le=100_000, description="Beyond the newest so many it moves there earlier."
    )
    archive_days: float | None = Field(
        None, ge=1, le=36_500, description="Then it is deleted for good; not before it is archived."
    )

    @model_validator(mode="after")
    def _archived_before_deleted(self) -> Self:
        keep, archive = self.keep_days, self.archive_days
        if keep is not None and archive is not None and archive < keep:
            raise ValueError("archive_days counts from the end, too: it must be at least keep_days")
        return self


class Policies(Model):
    """How an execution of this template is governed."""

    approval_required: bool = Field(
        False, description="One answer of anybody who may approve; `approval` says more."
    )
    approval: Approval | None = Field(None, description="A gate before anything starts.")
    concurrency: Concurrency | None = Field(
        None, description="A limit across executions, of this template and any other."
    )
    rollback_enabled: bool = True
    rollback: RollbackPolicy = Field(default_factory=RollbackPolicy)
    validation: ValidationPolicy = Field(default_factory=ValidationPolicy)
    timeout_s: float | None = Field(None, gt=0, le=30 * 86_400)
    notifications: tuple[Notification, ...] = ()
    retention: Retention | None = Field(None, description="How long executions are kept.")
    tuning: Literal["off", "propose", "apply", "apply_with_agents"] = Field(
        "propose",
        description="What becomes of changes that runs suggest (timeouts, retries, batches): they "
        "are not looked for, proposed, or applied as a new version that is taken back if worse; "
        "another agent is chosen only with `apply_with_agents`.",
    )

    @property
    def asks_first(self) -> bool:
        """True when somebody must approve before anything starts."""
        return self.approval_required or self.approval is not None


class TriggerKind(StrEnum):
    """The six ways in which an execution can come about."""

    MANUAL = "manual"
    CONTEXT_DETECTED = "context_detected"
    PATTERN_MATCHED = "pattern_matched"
    SCHEDULED = "scheduled"
    EXTERNAL_API = "external_api"
    MONITORING_ALERT = "monitoring_alert"


class Trigger(Model):
    """A condition under which this template is the right one."""

    kind: TriggerKind
    description: str = Field("", max_length=1_000)
    keywords: tuple[str, ...] = ()
    condition: Expression | None = None


class Template(Model):
    """A versioned, immutable workflow definition."""

    id: Slug
    version: str = "1.0.0"
    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=MAX_TEXT)
    category: Slug = "custom"
    tags: tuple[Slug, ...] = ()
    parameters: dict[Identifier, Parameter] = Field(default_factory=dict, max_length=MAX_PARAMETERS)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)
    on_failure: tuple[Step, ...] = Field(
        (), max_length=MAX_STEPS, description="Steps that run when the execution is failing."
    )
    always: tuple[Step, ...] = Field(
        (),
        alias="finally",
        max_length=MAX_STEPS,
        description="Steps that run at the end of every execution, whichever end it is.",
    )
    outputs: dict[Identifier, Any] = Field(default_factory=dict)
    policies: Policies = Field(default_factory=Policies)
    triggers: tuple[Trigger, ...] = ()
    situations: tuple[Situation, ...] = Field(
        (),
        max_length=MAX_SITUATIONS,
        description="Texts that this template is the answer to, as those in need would write them.",
    )
    prerequisites: tuple[str, ...] = ()
    estimated_duration_s: float | None = Field(None, ge=0)

    @field_validator("version")
    @classmethod
    def _semantic(cls, value: str) -> str:
        if len(value) > MAX_VERSION or not _SEMVER.fullmatch(value):
            raise ValueError("must be a semantic version such as 1.2.3")
        return value

    @model_validator(mode="after")
    def _unique_step_ids(self) -> Self:
        seen: set[str] = set()
        for step in self.every_step:
            if step.id in seen:
                raise PydanticCustomError(
                    "duplicate_step_id",
                    "step id '{id}' is used twice; ids must be unique",
                    {"id": step.id},
                )
            seen.add(step.id)
        return self

    @model_validator(mode="after")
    def _brings_nothing(self) -> Self:
        """What an item brings is worked out, by the planner of rollbacks, and by no author."""
        for step in self.every_step:
            if step.foreach is not None and step.foreach.given and not is_generated(self.id):
                raise ValueError(f"step {step.id!r}: `foreach.given` is for generated templates")
        return self

    @model_validator(mode="after")
    def _known_checkpoints(self) -> Self:
        names = [step.checkpoint for step in self.every_step if step.checkpoint]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise PydanticCustomError(
                "duplicate_checkpoint",
                "checkpoint '{name}' is named twice; names must be unique",
                {"name": twice},
            )
        wanted = self.policies.rollback.to_checkpoint
        if wanted is not None and wanted not in names:
            raise PydanticCustomError(
                "unknown_checkpoint",
                "policies.rollback.to_checkpoint: no step has checkpoint '{name}'",
                {"name": wanted},
            )
        return self

    @property
    def every_step(self) -> tuple[Step, ...]:
        """The main steps, then those of `on_failure`, then those of `finally`."""
        return (*self.steps, *self.on_failure, *self.always)

    def parameters_schema(self) -> dict[str, Any]:
        """The JSON Schema object that the parameters of a run must satisfy."""
        return object_schema(self.parameters)


def is_generated(template_id: str) -> bool:
    """True for a template that was made for the rollback of one execution."""
    return template_id.startswith(GENERATED)


def object_schema(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """The JSON Schema object that values for these parameters must satisfy."""
    return {
        "type": "object",
        "properties": {name: p.json_schema() for name, p in parameters.items()},
        "required": [name for name, p in parameters.items() if p.is_required],
        "additionalProperties": False,
    }


def placed_steps(template: Template) -> Iterator[tuple[str, Step]]:
    """Every step, with the path at which it stands in the definition."""
    sections = (
        ("steps", template.steps),
        ("on_failure", template.on_failure),
        ("finally", template.always),
    )
    for section, steps in sections:
        for index, step in enumerate(steps):
            yield f"{section}/{index}", step


def version_key(version: str) -> VersionKey:
    """Sort key of a semantic version (semver 2.0, §11).

    A pre-release comes before its release; its parts compare as numbers where they are numbers,
    and numbers come before words. Build metadata does not count.
    """
    core, _, _build = version.partition("+")
    numbers, _, pre = core.partition("-")
    major, minor, patch = (int(part) for part in numbers.split("."))
    parts = tuple(
        (False, int(part), "") if part.isdigit() else (True, 0, part)
        for part in pre.split(".")
        if pre
    )
    return (major, minor, patch, not pre, parts)
