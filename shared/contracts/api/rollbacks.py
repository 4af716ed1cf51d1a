"""Rollbacks over REST: what would be undone, what is, what people tick off. Times in epoch ms."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.api.executions import StepKey
from shared.contracts.api.problems import ProblemDetails
from shared.contracts.rollbacks import PointView
from shared.rollback.items import Item, Left, Plan, Spared
from shared.rollback.messages import Verdict
from shared.rollback.state import RollbackState, Round, Tick
from shared.workflow.messages import Actor
from shared.workflow.way_back import Strategy

Checkpoint = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class RollbackBody(BaseModel):
    """Undo what an execution did. Without a `strategy` it is that of its template; `to` names a
    checkpoint, or a step, and goes with `checkpoint`. With `steps` only what these did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Strategy | None = None
    to: Checkpoint | None = None
    steps: tuple[StepKey, ...] = Field((), max_length=200)
    reason: str = Field("", max_length=1_000)


class AheadBody(BaseModel):
    """A run that has not begun: of which version (default: the newest), with which parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str | None = Field(None, max_length=200)
    parameters: dict[str, Any] = Field(default_factory=dict)


class TickBody(BaseModel):
    """What became of one item that people undo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    comment: str = Field("", max_length=1_000)


class RollbackAccepted(BaseModel):
    """The rollback is asked for, durably. `replayed`: it was before, under the same key."""

    model_config = ConfigDict(frozen=True)

    rollback_id: str
    execution_id: str
    strategy: Strategy
    to: str = ""
    status_before: str
    replayed: bool = False


class RollbackRequestTaken(BaseModel):
    """A request about a rollback is durable; what comes of it is seen a moment later."""

    model_config = ConfigDict(frozen=True)

    rollback_id: str
    number: int
    request: str
    status_before: str


class PlanView(BaseModel):
    """What is, or would be, undone: items in order, what remains, and what is not touched."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    number: int
    strategy: Strategy
    to: str = ""
    made_at_ms: int
    complete: bool = Field(
        description="Nothing remains afterwards but what the template's author had accepted."
    )
    rounds: int
    items: tuple[Item, ...]
    left: tuple[Left, ...]
    spared: tuple[Spared, ...]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """A plan as it is shown."""
        return cls(
            execution_id=plan.execution_id,
            number=plan.number,
            strategy=plan.strategy,
            to=plan.to,
            made_at_ms=plan.made_at_ms,
            complete=plan.complete,
            rounds=plan.rounds,
            items=plan.items,
            left=plan.left,
            spared=plan.spared,
        )


class PointList(BaseModel):
    """The checkpoints of an execution, oldest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[PointView, ...]


class RollbackSummary(BaseModel):
    """The newest rollback of one execution, in a line."""

    model_config = ConfigDict(frozen=True)

    id: str
    execution_id: str
    number: int
    status: str
    over: bool
    strategy: Strategy
    to: str = ""
    by: Actor
    reason: str = ""
    run: str = Field("", description="The execution that does the work.")
    items: int = 0
    left: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    outcome: str = ""
    requested_at_ms: int
    changed_at_ms: int
    ended_at_ms: int

    @classmethod
    def of(cls, state: RollbackState) -> Self:
        """A rollback as it is listed."""
        shown = cls.model_fields.keys() - {"items", "over", "status"}
        return cls(
            items=len(state.keys),
            over=state.over,
            status=state.status.value,
            **{name: getattr(state, name) for name in shown},
        )


class RollbackView(BaseModel):
    """The newest rollback of one execution, with its plan once there is one, what people ticked
    off, and a word about earlier ones."""

    model_config = ConfigDict(frozen=True)

    summary: RollbackSummary
    plan: PlanView | None = None
    plan_damage: ProblemDetails | None = Field(
        None, description="Where the plan that is stored cannot be read: what is wrong with it."
    )
    ticks: dict[str, Tick] = Field(default_factory=dict)
    undone: tuple[str, ...] = ()
    rounds: tuple[Round, ...] = ()
    service_answers: bool | None = Field(
        None,
        description="While it waits for a rollback service: whether any answers.",
    )


class RollbackPage(BaseModel):
    """Rollbacks, those that changed last first. `next_cursor` asks for the page after this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[RollbackSummary, ...]
    next_cursor: str | None = None


class Runbook(BaseModel):
    """What people do, in Markdown."""

    model_config = ConfigDict(frozen=True)

    rollback_id: str
    number: int
    markdown: str
