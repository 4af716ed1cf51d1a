"""Questions to live agents and their answers, by verb (`hive.control.….<verb>`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from shared.contracts.agents import AgentRecord
from shared.contracts.collective import Acknowledgement, Broadcast, Contract
from shared.contracts.prechecks import PrecheckAnswer, PrecheckQuestion
from shared.contracts.sync import BundleVersion, HeldBundle

QuestionT = TypeVar("QuestionT", bound=BaseModel)
AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Verb(Generic[QuestionT, AnswerT]):
    """A kind of question: its name on the bus, and what goes each way."""

    name: str
    question: type[QuestionT]
    answer: type[AnswerT]


class StatusQuestion(Contract):
    """How are you?"""


class StatusAnswer(Contract):
    """The agent as it is at this moment, measured for this answer."""

    record: AgentRecord
    broadcasts_kept: int
    bundles: dict[str, int] = Field(default_factory=dict, description="Bundle: version it has.")


ProcessName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class FactsQuestion(Contract):
    """What is it like where you are? `processes` are names to look for among those that run."""

    topics: tuple[str, ...] = Field(max_length=20)
    processes: tuple[ProcessName, ...] = Field(default=(), max_length=20)


class FactsAnswer(Contract):
    """What the agent found, by topic."""

    facts: dict[str, JsonValue]


class BroadcastNotice(Contract):
    """Keep this message."""

    broadcast: Broadcast


class BroadcastReceipt(Contract):
    """It is kept, on disk."""

    acknowledgement: Acknowledgement


class SyncOrder(Contract):
    """Bring these versions to your disk, or (`apply` false) only say what you have.

    `rewrite` writes also files that already are as they should be.
    """

    versions: tuple[BundleVersion, ...] = Field(max_length=100)
    apply: bool = True
    rewrite: bool = False


class SyncReport(Contract):
    """What the agent has of each bundle it was asked about."""

    bundles: tuple[HeldBundle, ...]


class ControlReply(Contract):
    """The envelope of every answer. With `error` there is no `answer`."""

    agent: str
    answer: JsonValue = None
    error: str | None = Field(default=None, max_length=2_000)


STATUS: Final = Verb("status", StatusQuestion, StatusAnswer)
FACTS: Final = Verb("facts", FactsQuestion, FactsAnswer)
BROADCAST: Final = Verb("broadcast", BroadcastNotice, BroadcastReceipt)
SYNC: Final = Verb("sync", SyncOrder, SyncReport)
PRECHECK: Final = Verb("precheck", PrecheckQuestion, PrecheckAnswer)
