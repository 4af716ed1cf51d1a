"""What the journal holds about rollbacks: what people and policies ask for, and what became of it.

`number` counts the rollbacks of one execution from 1. What names another number is late.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from shared.automation.messages import RunEnded
from shared.workflow.message_base import ENGINE, Actor, Message
from shared.workflow.way_back import Strategy

MOST_LINES = 200
"""Lines about what remains that a message has; the plan has all."""

Verdict = Literal["done", "skipped", "failed"]


class RollbackRequested(Message):
    """Roll the execution back: all of it, to the checkpoint `to`, or only `steps`. `request` names
    the request, so that the same one is not taken twice."""

    type: Literal["rollback_requested"] = "rollback_requested"
    execution_id: str
    strategy: Strategy
    to: str = ""
    steps: tuple[str, ...] = ()
    by: Actor = ENGINE
    reason: str = ""
    request: str = ""


class ForwardEnded(Message):
    """The execution has come to its end, and can be held."""

    type: Literal["rollback_forward_ended"] = "rollback_forward_ended"
    number: int


class ForwardHeld(Message):
    """The execution is held: nothing moves it any more."""

    type: Literal["rollback_forward_held"] = "rollback_forward_held"
    number: int


class PlanMade(Message):
    """What is to be undone, by item in `keys`; `left` is what cannot be, `accepted` what the author
    knew could not be. `parameters` are those of the execution that undoes it; without a
    `template_version` there is none."""

    type: Literal["rollback_plan_made"] = "rollback_plan_made"
    number: int
    keys: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    template_version: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class PlanRefused(Message):
    """There is no plan, and why."""

    type: Literal["rollback_plan_refused"] = "rollback_plan_refused"
    number: int
    reason: str


class Accounted(Message):
    """What the execution that did the work has undone, by item, and what remains."""

    type: Literal["rollback_accounted"] = "rollback_accounted"
    number: int
    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class ItemTicked(Message):
    """A person says what became of an item, by its number from 1."""

    type: Literal["rollback_item_ticked"] = "rollback_item_ticked"
    number: int
    item: int
    verdict: Verdict
    by: Actor
    comment: str = ""


class RollbackCancelled(Message):
    """Undo nothing more."""

    type: Literal["rollback_cancelled"] = "rollback_cancelled"
    number: int
    by: Actor
    reason: str = ""


RollbackMessage = Annotated[
    RollbackRequested
    | ForwardEnded
    | ForwardHeld
    | PlanMade
    | PlanRefused
    | RunEnded
    | Accounted
    | ItemTicked
    | RollbackCancelled,
    Field(discriminator="type"),
]
ROLLBACK_MESSAGE: TypeAdapter[RollbackMessage] = TypeAdapter(RollbackMessage)
