"""What the hive knows and says together: memories, broadcasts, and who takes delegated tasks.

Delegations have a module of their own (`shared.contracts.delegations`). Times are epoch
milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.workflow.names import Slug

CONTENT_LIMIT: Final = 16_384
"""Longest content of a memory and longest message of a broadcast, in characters."""
TAGS_LIMIT: Final = 32
"""Most tags of one memory, and most tags in one query."""
RECALL_LIMIT: Final = 50
"""Most memories one recall gives."""
CAPABILITIES_LIMIT: Final = 64
"""Most capabilities a participant has or a delegation requires."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=CONTENT_LIMIT)]


class Contract(BaseModel):
    """Base: frozen, and nothing that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(Contract):
    """The execution that something came from, and the attempt of a step; without a step it came
    from the execution as a whole."""

    execution_id: str
    step: str = ""
    attempt: int = Field(1, ge=1)

    def key(self) -> str:
        """The attempt as one string, for ids that are the same when the attempt is repeated."""
        return f"{self.execution_id}.{self.step}.{self.attempt}"


class Memory(Contract):
    """Something worth knowing later. `importance` is 0 to 1; `expires_at_ms` None keeps it."""

    id: str = Field(min_length=1, max_length=200)
    content: Text
    category: Slug = "general"
    tags: tuple[Slug, ...] = Field(default=(), max_length=TAGS_LIMIT)
    importance: float = Field(default=0.5, ge=0, le=1)
    created_at_ms: int
    expires_at_ms: int | None = None
    author: str = Field(default="unknown", max_length=200)
    origin: Origin | None = None


class MemoryQuery(Contract):
    """What to recall.

    `text` and `tags` find and rank: a memory is found if a word of the text or one of the tags is
    in it; without both, all are. `category` and `min_importance` narrow.
    """

    text: str = Field(default="", max_length=1_000)
    category: Slug | None = None
    tags: tuple[Slug, ...] = Field(default=(), max_length=TAGS_LIMIT)
    min_importance: float = Field(default=0.0, ge=0, le=1)
    limit: int = Field(default=10, ge=1, le=RECALL_LIMIT)


class ScoreParts(Contract):
    """What a score is made of, each 0 to 1; None where the query did not ask for it."""

    relevance: float | None = None
    tags: float | None = None
    recency: float
    importance: float


class Recalled(Contract):
    """A memory with its score, 0 to 1: the weighted mean of its parts."""

    memory: Memory
    score: float
    parts: ScoreParts


class Severity(StrEnum):
    """How much a broadcast matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Acknowledgement(Contract):
    """An agent has kept a broadcast."""

    agent: str
    at_ms: int


class Broadcast(Contract):
    """A message to every agent. `expected` are those that were alive when it was sent."""

    id: str = Field(min_length=1, max_length=200)
    message: Text
    category: Slug = "general"
    severity: Severity = Severity.INFO
    sender: str = Field(default="unknown", max_length=200)
    sent_at_ms: int
    expires_at_ms: int
    expected: tuple[str, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()
    origin: Origin | None = None

    def acknowledged_by(self) -> frozenset[str]:
        """The agents that have it."""
        return frozenset(ack.agent for ack in self.acknowledgements)


class Participant(Contract):
    """A person or an AI agent that takes delegated tasks, offered only while `available`."""

    name: Slug
    kind: Literal["human", "ai"]
    capabilities: tuple[Slug, ...] = Field(default=(), max_length=CAPABILITIES_LIMIT)
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)
    available: bool = True
    description: str = Field(default="", max_length=500)
    last_seen_ms: int = 0
