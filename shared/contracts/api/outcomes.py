"""What is learned of outcomes, as the API gives it: pages, and what is asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.outcomes.matching import KnownFailure
from shared.outcomes.views import AgentView, InsightView, ProposalView, SignatureView


class FailurePage(BaseModel):
    """Known failures, those that occurred last first. `next_cursor` asks for the page after
    this."""

    model_config = ConfigDict(frozen=True)

    items: tuple[SignatureView, ...]
    next_cursor: str | None = None


class MatchBody(BaseModel):
    """A failure to look for: its message, and its code if that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str = Field(max_length=2_000)
    code: str = Field("", max_length=100, description="As the step's failure has it: `failed` …")


class Matched(BaseModel):
    """The known failure that a message is an example of; `known` is absent where none is.
    `resolutions` says in words what was done before runs passed again."""

    model_config = ConfigDict(frozen=True)

    masked: str = Field(description="The message as it is compared: without values.")
    known: KnownFailure | None = None
    resolutions: tuple[str, ...] = ()


class ProposalPage(BaseModel):
    """Changes that runs suggest, those that changed last first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[ProposalView, ...]
    next_cursor: str | None = None


class DismissBody(BaseModel):
    """Why a change is not wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field("", max_length=1_000)


class RevertBody(BaseModel):
    """Why a change is taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field("", max_length=1_000)


class AgentPage(BaseModel):
    """How agents compare, the worst first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[AgentView, ...]


class InsightPage(BaseModel):
    """What was learned lately, the newest first."""

    model_config = ConfigDict(frozen=True)

    items: tuple[InsightView, ...]
    next_cursor: str | None = None
