"""Rules as the gateway gives and takes them. Times in epoch milliseconds, 0 for not yet."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.automation.specs import RuleSpec
from shared.automation.states import Handled, Run, Status


class RuleView(BaseModel):
    """One rule. `counts` says what became of its events so far, `recent` of the newest of them;
    `waiting` is how many wait for the end of their debounce."""

    model_config = ConfigDict(frozen=True)

    id: str
    edition: int
    status: Status
    reason: str = ""
    definition: RuleSpec
    runs: tuple[Run, ...] = ()
    waiting: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    recent: tuple[Handled, ...] = ()
    created_by: str
    created_at_ms: int
    changed_by: str
    changed_at_ms: int
    pending: bool = Field(
        False,
        description="The request is durable, but no coordinator has taken it yet: this is what it "
        "will lead to.",
    )


class RuleList(BaseModel):
    """Every rule, oldest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[RuleView, ...]


class ExampleEvent(BaseModel):
    """An event to try a rule with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field("example", max_length=300)
    key: str = Field("", max_length=1_000)
    data: dict[str, Any] = Field(default_factory=dict)


class RuleTest(BaseModel):
    """A dry run. `definition`: of a rule that is not stored (without it: of the stored one).
    `payload` is a body as the rule's receiver would be sent; `event` an event as rules see it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    definition: RuleSpec | None = None
    event: ExampleEvent | None = None
    payload: Any = None


class Verdict(BaseModel):
    """What would become of one event. With `started`: what would run."""

    model_config = ConfigDict(frozen=True)

    event: dict[str, Any]
    outcome: str
    reason: str = ""
    template_id: str = ""
    template_version: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)


class RuleTestResult(BaseModel):
    """What would become of each event, in their order. Nothing was started or kept."""

    model_config = ConfigDict(frozen=True)

    verdicts: tuple[Verdict, ...]


class EventsAccepted(BaseModel):
    """What was received is in the journal of each rule of the receiver."""

    model_config = ConfigDict(frozen=True)

    events: int
    rules: int
