"""What the journal holds about schedules and rules, beside the timers that they set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from shared.automation.specs import RuleSpec, ScheduleSpec
from shared.workflow.messages import Actor, CauseKind, Message, TimerFired


class Event(Message):
    """Something that happened elsewhere, or here.

    `key` is what makes two deliveries the same by nature. `cause` is of which kind it is, `chain`
    names the rules and templates that led to it, oldest first.
    """

    id: str = Field(max_length=300)
    type: str = Field(max_length=300)
    key: str = Field("", max_length=1_000)
    receiver: str = ""
    at_ms: int = 0
    cause: CauseKind = "external_api"
    data: dict[str, Any] = Field(default_factory=dict)
    chain: tuple[str, ...] = ()


class Request(Message):
    """Base of what people ask for. `if_edition`: only if that is still the present one."""

    request_id: str
    by: Actor = Actor()
    if_edition: int | None = None


class Saved(Request):
    """Make it, or write it anew."""

    type: Literal["automation_saved"] = "automation_saved"
    spec: Annotated[ScheduleSpec | RuleSpec, Field(discriminator="kind")]


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
    """An execution that was started came to its end, or could not even begin: then it is `refused`,
    for `reason`."""

    type: Literal["automation_run_ended"] = "automation_run_ended"
    execution_id: str
    status: str
    reason: str = ""


class TimerTaken(Message):
    """A coordinator was there to take a timer that fired. Its place and time in the journal are
    those of the first one that was: how late a timer is, everybody who reads it knows alike."""

    type: Literal["automation_timer_taken"] = "automation_timer_taken"
    timer: str
    generation: int


class EventsReceived(Message):
    """Events for a rule, in their order."""

    type: Literal["automation_events_received"] = "automation_events_received"
    events: tuple[Event, ...]


AutomationMessage = Annotated[
    AnyRequest | EventsReceived | RunEnded | TimerFired | TimerTaken,
    Field(discriminator="type"),
]

AUTOMATION_MESSAGE: TypeAdapter[AutomationMessage] = TypeAdapter(AutomationMessage)
"""Reads any of them from JSON."""
