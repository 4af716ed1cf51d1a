"""What the journal holds about schedules and rules, beside the timers that they set."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.automation.specs import ScheduleSpec
from shared.workflow.messages import Actor, Message, TimerFired


class Request(Message):
    """Base of what people ask for. `if_edition`: only if that is still the present one."""

    request_id: str
    by: Actor = Actor()
    if_edition: int | None = None


class Saved(Request):
    """Make it, or write it anew."""

    type: Literal["automation_saved"] = "automation_saved"
    spec: ScheduleSpec


class Paused(Request):
    """Start nothing until it is resumed."""

    type: Literal["automation_paused"] = "automation_paused"
    reason: str = ""


class Resumed(Request):
    """Go on from now."""

    type: Literal["automation_resumed"] = "automation_resumed"


class Deleted(Request):
    """Never start anything again."""

    type: Literal["automation_deleted"] = "automation_deleted"


AnyRequest = Saved | Paused | Resumed | Deleted
"""Any request."""


class RunEnded(Message):
    """An execution that was started came to its end, or could not even begin."""

    type: Literal["automation_run_ended"] = "automation_run_ended"
    execution_id: str
    status: str


class TimerTaken(Message):
    """A coordinator was there to take a timer that fired. Its place and time in the journal are
    those of the first one that was: how late a timer is, everybody who reads it knows alike."""

    type: Literal["automation_timer_taken"] = "automation_timer_taken"
    timer: str
    generation: int


AutomationMessage = Annotated[
    AnyRequest | RunEnded | TimerFired | TimerTaken,
    Field(discriminator="type"),
]

AUTOMATION_MESSAGE: TypeAdapter[AutomationMessage] = TypeAdapter(AutomationMessage)
"""Reads any of them from JSON."""
