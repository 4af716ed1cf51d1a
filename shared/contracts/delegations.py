"""A task given to a participant: its machine, what can be done to it, and what it is.

One participant at a time has the offer. Declined or left unanswered, it is offered to the next.
Times are epoch milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from shared.contracts.collective import CAPABILITIES_LIMIT, Contract, Text
from shared.workflow.machines.table import Machine, each
from shared.workflow.names import Slug

OFFERS_LIMIT: Final = 50
"""Most times one delegation is offered."""


class DelegationStatus(StrEnum):
    """Where a delegation stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_S = DelegationStatus
OPEN: Final = frozenset({_S.OFFERED, _S.ACCEPTED})
"""Somebody has it to answer or to do: what counts as load."""

DELEGATION: Final = Machine(
    name="delegation",
    initial=_S.OFFERED,
    terminal=frozenset({_S.COMPLETED, _S.EXPIRED, _S.CANCELLED}),
    rows={
        "accept": each(_S.OFFERED, to=_S.ACCEPTED),
        "complete": each(_S.ACCEPTED, to=_S.COMPLETED),
        # Who accepted may still give it back.
        "decline": each(_S.OFFERED, _S.ACCEPTED, to=_S.DECLINED),
        # Unanswered, or declined: it goes to the next.
        "reoffer": each(_S.OFFERED, _S.DECLINED, to=_S.OFFERED),
        "expire": each(_S.OFFERED, _S.ACCEPTED, _S.DECLINED, to=_S.EXPIRED),
        "cancel": each(_S.OFFERED, _S.ACCEPTED, _S.DECLINED, to=_S.CANCELLED),
        # A step looks at it and says in which of its legs it waits: changes nothing else.
        "watch": {status: status for status in DelegationStatus},
    },
)


class Priority(StrEnum):
    """How soon somebody should look at it."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class Offer(Contract):
    """One participant was asked; `answer` is None while it has not answered."""

    participant: str
    at_ms: int
    answer_by_ms: int
    answer: Literal["accepted", "declined", "unanswered"] | None = None
    answered_at_ms: int | None = None
    reason: str = ""


class Delegation(Contract):
    """A task somebody is asked to do, and for which step of which execution.

    `leg` is the leg of the attempt that waits for it; `revision` counts its changes. `wait_for` is
    what the step waits for. `result` is what the participant gave when it was completed.
    """

    id: str = Field(min_length=1, max_length=200)
    task: Text
    details: dict[str, Any] = Field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    required_capabilities: tuple[Slug, ...] = Field(default=(), max_length=CAPABILITIES_LIMIT)
    status: DelegationStatus = DelegationStatus.OFFERED
    offers: tuple[Offer, ...] = Field(min_length=1, max_length=OFFERS_LIMIT)
    wait_for: Literal["completed", "accepted", "offered"] = "completed"
    requested_by: str = Field(default="unknown", max_length=200)
    created_at_ms: int
    deadline_ms: int
    ended_at_ms: int | None = None
    result: dict[str, Any] | None = None
    reason: str = ""
    execution_id: str | None = None
    step: str | None = None
    attempt: int | None = None
    leg: int = 0
    revision: int = 0

    @property
    def offer(self) -> Offer:
        """The newest offer."""
        return self.offers[-1]

    @property
    def participant(self) -> str:
        """Who has, or had, the newest offer."""
        return self.offers[-1].participant

    def token(self) -> str:
        """What the step waits for: another token for each leg, so that no answer is taken for an
        earlier one."""
        return f"{self.id}/{self.leg}"


class AcceptDelegation(Contract):
    """The participant will do it."""

    type: Literal["accept"] = "accept"
    participant: str


class CompleteDelegation(Contract):
    """The participant has done it."""

    type: Literal["complete"] = "complete"
    participant: str
    result: dict[str, Any] = Field(default_factory=dict)


class DeclineDelegation(Contract):
    """The participant will not do it."""

    type: Literal["decline"] = "decline"
    participant: str
    reason: str = Field(default="", max_length=2_000)


class ReofferDelegation(Contract):
    """Offer it to the next. `replaces` is who has it now: somebody else may be quicker."""

    type: Literal["reoffer"] = "reoffer"
    replaces: str
    participant: str
    answer_by_ms: int


class ExpireDelegation(Contract):
    """Its time is over, or nobody is left to ask."""

    type: Literal["expire"] = "expire"
    reason: str = Field(default="", max_length=2_000)


class CancelDelegation(Contract):
    """It is no longer wanted."""

    type: Literal["cancel"] = "cancel"
    reason: str = Field(default="", max_length=2_000)


class WatchDelegation(Contract):
    """The step waits in this leg of its attempt from now on."""

    type: Literal["watch"] = "watch"
    leg: int = Field(ge=0)


DelegationChange = Annotated[
    AcceptDelegation
    | CompleteDelegation
    | DeclineDelegation
    | ReofferDelegation
    | ExpireDelegation
    | CancelDelegation
    | WatchDelegation,
    Field(discriminator="type"),
]

DELEGATION_CHANGE: TypeAdapter[DelegationChange] = TypeAdapter(DelegationChange)
"""Reads and writes any change as JSON."""


class DelegationFilter(Contract):
    """Which delegations to list, newest first."""

    participant: str | None = None
    statuses: tuple[DelegationStatus, ...] = ()
    execution_id: str | None = None
    overdue_at_ms: int | None = Field(
        default=None, description="Only those that are not at an end though their deadline passed."
    )
    before_ms: int | None = Field(default=None, description="Only those created before.")
    before_id: str = Field(
        default="", description="Of those created at that time, those of a smaller id, too."
    )
    limit: int = Field(default=50, ge=1, le=200)
