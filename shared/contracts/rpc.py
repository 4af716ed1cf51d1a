"""The endpoints of services (`hive.rpc.<service>.<name>`): of the collective for those without a
database, and of the validator, the rollback, the learning and the suggestion service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Generic

from pydantic import Field

from shared.contracts.collective import (
    RECALL_LIMIT,
    Acknowledgement,
    Broadcast,
    Contract,
    Memory,
    MemoryQuery,
    Participant,
    Recalled,
)
from shared.contracts.control import AnswerT, QuestionT
from shared.contracts.delegations import Delegation, DelegationChange, DelegationFilter
from shared.contracts.learning import (
    BackfillOrder,
    LearningStatus,
    MeantLines,
    MeantLinesQuestion,
    RebuildOrder,
)
from shared.contracts.rollbacks import PointsAnswer, PointsQuestion, PreviewQuestion
from shared.contracts.suggestions import (
    AlertNotice,
    AutocompleteQuestion,
    Noticed,
    SuggestAnswer,
    SuggestQuestion,
)
from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.rollback.items import Plan


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[QuestionT, AnswerT]):
    """One endpoint of a service: its names, and what goes each way."""

    service: str
    name: str
    request: type[QuestionT]
    response: type[AnswerT]


class ById(Contract):
    """Names one thing."""

    id: str = Field(min_length=1, max_length=200)


class Nothing(Contract):
    """No data."""


class Done(Contract):
    """Whether something was there to be done."""

    done: bool


class RememberRequest(Contract):
    """A memory to keep."""

    memory: Memory


class FoundMemory(Contract):
    """A memory, if there is one."""

    memory: Memory | None


class RecallRequest(Contract):
    """What to recall, at a time: what has expired by then is not found."""

    query: MemoryQuery
    now_ms: int


class RecallAnswer(Contract):
    """What was recalled, best first."""

    found: tuple[Recalled, ...] = Field(max_length=RECALL_LIMIT)


class OfferRequest(Contract):
    """A delegation to offer."""

    delegation: Delegation


class ChangeRequest(Contract):
    """A change of a delegation."""

    id: str
    change: Annotated[DelegationChange, Field(discriminator="type")]
    at_ms: int


class DelegationAnswer(Contract):
    """A delegation, if there is one."""

    delegation: Delegation | None


class DelegationList(Contract):
    """Delegations, newest first."""

    delegations: tuple[Delegation, ...]


class OpenCounts(Contract):
    """How many open delegations each participant has."""

    counts: dict[str, int]


class ParticipantRequest(Contract):
    """A participant to keep."""

    participant: Participant


class ParticipantList(Contract):
    """Participants, by name."""

    participants: tuple[Participant, ...]


class SeenRequest(Contract):
    """A participant was seen."""

    name: str
    at_ms: int


class SendRequest(Contract):
    """A broadcast to keep."""

    broadcast: Broadcast


class AcknowledgeRequest(Contract):
    """Agents have a broadcast."""

    id: str
    acknowledgements: tuple[Acknowledgement, ...] = Field(max_length=10_000)


class MissedRequest(Contract):
    """Which broadcasts has this agent not acknowledged?"""

    agent: str
    now_ms: int
    limit: int = Field(default=100, ge=1, le=100)


class BroadcastPage(Contract):
    """Which broadcasts to list, newest first."""

    before_ms: int | None = None
    before_id: str = ""
    limit: int = Field(default=50, ge=1, le=200)


class BroadcastAnswer(Contract):
    """A broadcast, if there is one."""

    broadcast: Broadcast | None


class BroadcastList(Contract):
    """Broadcasts."""

    broadcasts: tuple[Broadcast, ...]


COLLECTIVE: Final = "collective"

REMEMBER: Final = Endpoint(COLLECTIVE, "remember", RememberRequest, Done)
GET_MEMORY: Final = Endpoint(COLLECTIVE, "get-memory", ById, FoundMemory)
RECALL: Final = Endpoint(COLLECTIVE, "recall", RecallRequest, RecallAnswer)
FORGET: Final = Endpoint(COLLECTIVE, "forget", ById, Done)
OFFER: Final = Endpoint(COLLECTIVE, "offer", OfferRequest, DelegationAnswer)
CHANGE: Final = Endpoint(COLLECTIVE, "change", ChangeRequest, DelegationAnswer)
GET_DELEGATION: Final = Endpoint(COLLECTIVE, "get-delegation", ById, DelegationAnswer)
LIST_DELEGATIONS: Final = Endpoint(COLLECTIVE, "list-delegations", DelegationFilter, DelegationList)
OPEN_COUNTS: Final = Endpoint(COLLECTIVE, "open-counts", Nothing, OpenCounts)
SAVE_PARTICIPANT: Final = Endpoint(COLLECTIVE, "save-participant", ParticipantRequest, Nothing)
LIST_PARTICIPANTS: Final = Endpoint(COLLECTIVE, "list-participants", Nothing, ParticipantList)
SEEN_PARTICIPANT: Final = Endpoint(COLLECTIVE, "seen-participant", SeenRequest, Nothing)
REMOVE_PARTICIPANT: Final = Endpoint(COLLECTIVE, "remove-participant", ById, Done)
SEND: Final = Endpoint(COLLECTIVE, "send", SendRequest, BroadcastAnswer)
ACKNOWLEDGE: Final = Endpoint(COLLECTIVE, "acknowledge", AcknowledgeRequest, BroadcastAnswer)
GET_BROADCAST: Final = Endpoint(COLLECTIVE, "get-broadcast", ById, BroadcastAnswer)
LIST_BROADCASTS: Final = Endpoint(COLLECTIVE, "list-broadcasts", BroadcastPage, BroadcastList)
MISSED: Final = Endpoint(COLLECTIVE, "missed", MissedRequest, BroadcastList)

LOOK: Final = Endpoint("validator", "look", ValidationQuestion, ValidationAnswer)
ROLLBACK_PREVIEW: Final = Endpoint("rollback", "preview", PreviewQuestion, Plan)
ROLLBACK_PRESENT: Final = Endpoint("rollback", "present", Nothing, Done)
"""Answered at once by whoever makes plans; so silence means that nobody does."""
ROLLBACK_POINTS: Final = Endpoint("rollback", "points", PointsQuestion, PointsAnswer)
LEARNING_STATUS: Final = Endpoint("learning", "status", Nothing, LearningStatus)
LEARNING_REBUILD: Final = Endpoint("learning", "rebuild", RebuildOrder, LearningStatus)
LEARNING_BACKFILL: Final = Endpoint("learning", "backfill", BackfillOrder, LearningStatus)
LEARNING_MEANT_LINES: Final = Endpoint("learning", "meant-lines", MeantLinesQuestion, MeantLines)
SUGGEST: Final = Endpoint("suggestion", "suggest", SuggestQuestion, SuggestAnswer)
AUTOCOMPLETE: Final = Endpoint("suggestion", "autocomplete", AutocompleteQuestion, SuggestAnswer)
NOTICE: Final = Endpoint("suggestion", "notice", AlertNotice, Noticed)
