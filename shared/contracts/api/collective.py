"""The fleet, delegations, memories and broadcasts as the gateway gives and takes them.

Times in epoch milliseconds.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.agents import AgentRecord
from shared.contracts.collective import (
    CAPABILITIES_LIMIT,
    TAGS_LIMIT,
    Broadcast,
    Participant,
    Recalled,
    Severity,
    Text,
)
from shared.contracts.delegations import Delegation
from shared.workflow.names import Slug

MAX_LIFE_S = 10 * 365 * 86_400


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Fleet(_Answer):
    """The live agents that run commands, and everybody who takes delegated tasks."""

    agents: tuple[AgentRecord, ...]
    participants: tuple[Participant, ...]


class NewParticipant(_Body):
    """Register a person or an AI agent. Its API key must have the same name."""

    name: Slug
    kind: Literal["human", "ai"] = "ai"
    capabilities: tuple[Slug, ...] = Field((), max_length=CAPABILITIES_LIMIT)
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)
    available: bool = True
    description: str = Field("", max_length=500)


class DelegationPage(_Answer):
    """Delegations, newest first. `next_cursor` asks for the page after this."""

    items: tuple[Delegation, ...]
    next_cursor: str | None = None


class CompleteBody(_Body):
    """What came of the task; the waiting step's output carries it."""

    result: dict[str, Any] = Field(default_factory=dict)


class DeclineBody(_Body):
    """Why not; the task goes to the next who fits."""

    reason: str = Field("", max_length=2_000)


class NewMemory(_Body):
    """Something worth knowing later. Without `expires_in_s` it is kept."""

    content: Text
    category: Slug = "general"
    tags: tuple[Slug, ...] = Field((), max_length=TAGS_LIMIT)
    importance: float = Field(0.5, ge=0, le=1)
    expires_in_s: float | None = Field(None, gt=0, le=MAX_LIFE_S)


class RecalledMemories(_Answer):
    """What fits, best first, each with its score."""

    items: tuple[Recalled, ...]


class Removed(_Answer):
    """What was asked to be removed is not there any more."""

    id: str


class NewBroadcast(_Body):
    """A message to every live agent. `deadline_s`: how long to wait for acknowledgements."""

    message: Text
    category: Slug = "general"
    severity: Severity = Severity.INFO
    expires_in_s: float = Field(86_400, gt=0, le=MAX_LIFE_S)
    deadline_s: float = Field(2.0, ge=0, le=30)


class BroadcastPage(_Answer):
    """Broadcasts, newest first. `next_cursor` asks for the page after this."""

    items: tuple[Broadcast, ...]
    next_cursor: str | None = None
