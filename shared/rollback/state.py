"""The state of an execution's rollbacks: the one that runs or ran last, and a word about others."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.rollback.machine import OVER, RollbackStatus
from shared.rollback.messages import Verdict
from shared.workflow.definition import GENERATED
from shared.workflow.message_base import ENGINE, Actor
from shared.workflow.way_back import Strategy

PREFIX: Final = "rb_"
MOST_ROUNDS: Final = 50
"""Earlier rollbacks of one execution that are told of."""


def rollback_id(execution_id: str) -> str:
    """The id under which the rollbacks of an execution stand in the journal."""
    return PREFIX + execution_id


def is_rollback(identifier: str) -> bool:
    """True for the id of an execution's rollbacks."""
    return identifier.startswith(PREFIX)


def template_id(execution_id: str) -> str:
    """The id of the templates that undo an execution."""
    return GENERATED + execution_id


def template_version(number: int) -> str:
    """The version of the template that is rollback `number`."""
    return f"1.0.{number}"


class Tick(BaseModel):
    """What a person says became of an item."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    by: Actor
    comment: str = ""
    at_ms: int = 0


class Round(BaseModel):
    """An earlier rollback of the same execution."""

    model_config = ConfigDict(frozen=True)

    number: int
    strategy: Strategy
    to: str = ""
    by: Actor
    status: RollbackStatus
    run: str = ""
    requested_at_ms: int = 0
    ended_at_ms: int = 0


class RollbackState(BaseModel):
    """The rollbacks of one execution; all fields but `undone` and `rounds` are of the newest.

    `keys` are its items in order, `ticks` what people said of them, by number from 1. `undone` are
    the keys of all that was undone so far, `left` says what remains, `accepted` what was known to
    remain. `run` is the execution that does the work. `cancelled_by` is who wants no more of it.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["rollback"] = "rollback"
    id: str
    execution_id: str
    status: RollbackStatus = RollbackStatus.ASKED
    number: int = 1
    strategy: Strategy = "graceful"
    to: str = ""
    steps: tuple[str, ...] = ()
    by: Actor = ENGINE
    reason: str = ""
    request: str = ""
    run: str = ""
    keys: tuple[str, ...] = ()
    ticks: dict[str, Tick] = Field(default_factory=dict)
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    outcome: str = ""
    cancelled_by: Actor | None = None
    cancel_reason: str = ""
    requested_at_ms: int = 0
    changed_at_ms: int = 0
    ended_at_ms: int = 0
    rounds: tuple[Round, ...] = ()

    @property
    def over(self) -> bool:
        """True when nothing of it goes on."""
        return self.status in OVER

    def searchable(self) -> dict[str, Any]:
        """What lists are filtered and sorted by, beside kind and status."""
        return {"changed_at_ms": self.changed_at_ms, "execution_id": self.execution_id}
