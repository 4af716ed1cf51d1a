"""What the rollback of an execution says to it. The rollback itself is an actor beside it
(`shared.rollback`), and its work an execution of its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.workflow.message_base import Actor, Message
from shared.workflow.way_back import Strategy


class RollbackWanted(Message):
    """Rollback `number` wants the execution to hold still: what has ended is held, what runs is
    brought to its end first, with `drain` without stopping what an agent has begun. It is said
    `again` when that end has come."""

    type: Literal["rollback_wanted"] = "rollback_wanted"
    number: int = Field(ge=1)
    strategy: Strategy
    to: str = ""
    by: Actor = Actor()
    reason: str = ""
    drain: bool = False
    again: bool = False


class RollbackEnded(Message):
    """Rollback `number` is over. `undone` are the steps of which something was undone, `left` says
    what remains; `run` is the execution that did the work."""

    type: Literal["rollback_ended"] = "rollback_ended"
    number: int = Field(ge=1)
    status: Literal["rolled_back", "rollback_incomplete", "rollback_failed"]
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    run: str = ""
    reason: str = ""
