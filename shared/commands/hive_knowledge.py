"""`hv-query`, `recall`, `remember`: what the hive knows."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from shared.commands.hive_parts import (
    NEEDS,
    YEAR_S,
    AgentNames,
    Capabilities,
    Deadline,
    Message,
    Share,
    SlugText,
    Strict,
    Tags,
)
from shared.commands.spec import CommandSpec, Effects, Example
from shared.contracts.collective import RECALL_LIMIT


class Topic(StrEnum):
    """What agents can be asked about."""

    HOST = "host"
    PLATFORM = "platform"
    UPTIME = "uptime"
    DISK = "disk"
    LOAD = "load"
    MEMORY = "memory"
    VERSIONS = "versions"


class _Search(Strict):
    category: SlugText | SkipJsonSchema[None] = Field(
        default=None, description="Only memories of this category."
    )
    tags: Tags = Field(
        default=[], description="Tags that find memories and rank those with more of them higher."
    )
    min_importance: Share = Field(default=0.0, description="Only memories at least so important.")
    limit: int = Field(default=10, ge=1, le=RECALL_LIMIT, description="Most memories to give.")


class RecallParameters(_Search):
    """Searches the collective memory, best first.

    A memory is found by a word of `query` or by a tag; without both, all are. Its score is the
    weighted mean of full-text relevance (0.6), tags (0.2), recency (0.1) and importance (0.1).
    """

    query: str = Field(default="", max_length=1_000, description="Words to search for.")


class RecalledMemory(Strict):
    """One memory that was found."""

    memory_id: str = Field(description="Its id.")
    content: str = Field(description="What was remembered.")
    category: str = Field(description="Its category.")
    tags: list[str] = Field(description="Its tags.")
    importance: float = Field(description="0 to 1.")
    created_at_ms: int = Field(description="When it was remembered, epoch milliseconds.")
    author: str = Field(description="Who remembered it.")
    score: float = Field(description="How well it fits, 0 to 1.")
    parts: dict[str, float] = Field(description="What the score is made of.")


class RecallOutput(Strict):
    """What was found."""

    memories: list[RecalledMemory] = Field(description="Best first.")
    count: int = Field(description="How many were found, up to `limit`.")
    left_out: int = Field(
        default=0, description="Found ones that did not fit into the agent's output limit."
    )


QUESTIONS = ("query", "tags", "facts", "processes", "find_participants")
"""Parameters of `hv-query` of which at least one asks for something."""


class QueryParameters(_Search):
    """Asks the hive: searches its memory, asks live agents for facts, looks for participants.

    Each part is done if it is asked for: memory by `query` or `tags`, agents by `facts` or
    `processes`, participants by `find_participants`. Ask for at least one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"anyOf": [{"required": [name]} for name in QUESTIONS]},
    )

    query: str = Field(default="", max_length=1_000, description="Words to search the memory for.")
    facts: list[Topic] = Field(
        default=[], max_length=len(Topic), description="What to ask live agents about."
    )
    processes: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        default=[], max_length=20, description="Names of processes to look for on every host."
    )
    agents: AgentNames | SkipJsonSchema[None] = Field(
        default=None, description="Only these are asked; by default every live agent."
    )
    find_participants: bool = Field(
        default=False, description="List participants that fit `required_capabilities`."
    )
    required_capabilities: Capabilities = Field(
        default=[], description="What a participant must be able to do."
    )
    deadline_s: Deadline = Field(default=3.0, description="Seconds to wait for agents.")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not any(getattr(self, name) for name in QUESTIONS):
            raise ValueError(
                "ask for something: query or tags (memory), facts or processes (agents), "
                "or find_participants"
            )
        return self


class AgentFacts(Strict):
    """What one agent found."""

    agent: str = Field(description="Its name.")
    facts: dict[str, Any] = Field(description="By topic; processes under `processes`.")


class FittingParticipant(Strict):
    """Somebody a task could be delegated to."""

    name: str = Field(description="Its name.")
    kind: str = Field(description="`human` or `ai`.")
    capabilities: list[str] = Field(description="What it can do.")
    open_delegations: int = Field(description="Tasks it was offered or has accepted.")


class QueryOutput(RecallOutput):
    """What memory, agents and the register say."""

    agents: list[AgentFacts] = Field(description="Answers of live agents, by name.")
    unreachable: list[str] = Field(description="Agents without an answer.")
    errors: dict[str, str] = Field(description="Agents that could not answer, with the reason.")
    participants: list[FittingParticipant] = Field(
        description="Participants that fit, least loaded first."
    )


class RememberParameters(Strict):
    """Keeps something in the collective memory, where `recall` and `hv-query` find it.

    An attempt remembers once, however often it is delivered.
    """

    content: Message = Field(description="What is worth knowing later.")
    category: SlugText = Field(default="general", description="What it is about.")
    tags: Tags = Field(default=[], description="Words to find it by.")
    importance: Share = Field(default=0.5, description="0 (trifle) to 1 (vital).")
    expires_in_s: Annotated[int, Field(ge=60, le=100 * YEAR_S)] | SkipJsonSchema[None] = Field(
        default=None, description="Seconds after which it is forgotten; by default never."
    )


class RememberOutput(Strict):
    """What was kept."""

    memory_id: str = Field(description="Its id.")
    created: bool = Field(description="False if this attempt had remembered it before.")
    expires_at_ms: int | None = Field(description="When it will be forgotten; epoch milliseconds.")


QUERY = CommandSpec.of(
    name="hv-query",
    summary="Asks the collective memory and live agents.",
    parameters=QueryParameters,
    output=QueryOutput,
    effects=Effects.NONE,
    capabilities=NEEDS,
    idempotent=True,
    examples=[
        Example(
            title="Similar incidents, and where postgres runs",
            parameters={
                "query": "slow database",
                "category": "incident",
                "facts": ["load", "disk"],
                "processes": ["postgres"],
            },
        )
    ],
)

RECALL = CommandSpec.of(
    name="recall",
    summary="Searches the collective memory.",
    parameters=RecallParameters,
    output=RecallOutput,
    effects=Effects.NONE,
    capabilities=NEEDS,
    idempotent=True,
    examples=[
        Example(title="By words and tags", parameters={"query": "disk full", "tags": ["postgres"]})
    ],
)

REMEMBER = CommandSpec.of(
    name="remember",
    summary="Keeps something in the collective memory.",
    parameters=RememberParameters,
    output=RememberOutput,
    effects=Effects.IRREVERSIBLE,
    capabilities=NEEDS,
    examples=[
        Example(
            title="Document an incident",
            parameters={
                "content": "The disk of db-1 was full; old backups were removed.",
                "category": "incident",
                "tags": ["db-1", "disk"],
                "importance": 0.8,
            },
        )
    ],
)
