"""What the hive commands' parameters are made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.collective import CAPABILITIES_LIMIT, CONTENT_LIMIT, TAGS_LIMIT

YEAR_S = 365 * 86_400
AGENTS_LIMIT = 1_000
"""Most agents that a step can name."""

SlugText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
AgentNames = Annotated[list[SlugText], Field(min_length=1, max_length=AGENTS_LIMIT)]
Tags = Annotated[list[SlugText], Field(max_length=TAGS_LIMIT)]
Capabilities = Annotated[list[SlugText], Field(max_length=CAPABILITIES_LIMIT)]
Message = Annotated[str, StringConstraints(min_length=1, max_length=CONTENT_LIMIT)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
BundleText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Deadline = Annotated[float, Field(gt=0, le=300)]
Require = Literal["all", "any", "none"]


class Strict(BaseModel):
    """Base: frozen, and nothing that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


NEEDS = ("hive",)
"""Capability of agents that can run the hive commands."""
