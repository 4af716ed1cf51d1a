"""What people ask of single steps while an execution runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shared.workflow.message_base import Actor, Message


class BreakpointsRequested(Message):
    """Pause before these steps, and before those no more."""

    type: Literal["breakpoints_requested"] = "breakpoints_requested"
    set_before: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    by: Actor = Actor()
    reason: str = ""


class MarkRequested(Message):
    """A person says what became of a step: it is done, or it failed."""

    type: Literal["mark_requested"] = "mark_requested"
    step: str
    verdict: Literal["completed", "failed"]
    by: Actor = Actor()
    reason: str = ""
    output: dict[str, Any] = Field(default_factory=dict)


class RunNowRequested(Message):
    """What this leg of this attempt waits for need not be waited for any longer."""

    type: Literal["run_now_requested"] = "run_now_requested"
    step: str
    attempt: int
    leg: int = 0
    by: Actor = Actor()
    reason: str = ""
