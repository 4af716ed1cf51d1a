"""What rollback services are asked to do, and how."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.contracts.tasks import Task
from shared.workflow.way_back import Strategy

TIMEOUT_S: Final = 300.0


class PlanOrder(BaseModel):
    """Make the plan of rollback `number`; `undone` are the keys of what is undone already."""

    model_config = ConfigDict(frozen=True)

    work: Literal["plan"] = "plan"
    rollback_id: str
    number: int
    strategy: Strategy
    to: str = ""
    steps: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()


class AccountOrder(BaseModel):
    """Tell what the execution `run` has undone, which ended as `status`."""

    model_config = ConfigDict(frozen=True)

    work: Literal["account"] = "account"
    rollback_id: str
    number: int
    run: str
    status: str


RollbackOrder = PlanOrder | AccountOrder
_ORDER: TypeAdapter[RollbackOrder] = TypeAdapter(RollbackOrder)


def planning_task(
    rollback_id: str, work: Literal["plan", "account"], number: int, details: dict[str, Any]
) -> Task:
    """The work as a task of the pool `rollback._`."""
    return Task(
        execution_id=rollback_id,
        template_id="",
        step=work,
        attempt=number,
        leg=0,
        command=f"rollback-{work}",
        parameters=details,
        timeout_s=TIMEOUT_S,
        must_claim=False,
    )


def order_of(task: Task) -> RollbackOrder:
    """What a task of that pool asks for. Raises `ValueError` where it asks for nothing known."""
    known = {"work": task.step, "rollback_id": task.execution_id, "number": task.attempt}
    return _ORDER.validate_python({**task.parameters, **known})


class PreviewQuestion(BaseModel):
    """What would a rollback do? `undone` are the keys of what is undone already."""

    model_config = ConfigDict(frozen=True)

    execution_id: str
    number: int = 1
    strategy: Strategy = "graceful"
    to: str = ""
    steps: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()


class PointsQuestion(BaseModel):
    """To which points can an execution be taken back?"""

    model_config = ConfigDict(frozen=True)

    execution_id: str


class PointView(BaseModel):
    """A checkpoint: the moment before `step` began; `name` where the template gives it one."""

    model_config = ConfigDict(frozen=True)

    step: str
    name: str = ""
    at_ms: int
    why: str = ""


class PointsAnswer(BaseModel):
    """The checkpoints of an execution, oldest first."""

    model_config = ConfigDict(frozen=True)

    points: tuple[PointView, ...] = ()
