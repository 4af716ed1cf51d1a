"""`hv-status`, `hv-broadcast`, `hv-delegate`: what agents and people do together.

`SPECS` lists all hive commands.
"""

from typing import Any, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from shared.commands.hive_knowledge import QUERY, RECALL, REMEMBER
from shared.commands.hive_parts import (
    NEEDS,
    YEAR_S,
    AgentNames,
    Capabilities,
    Deadline,
    Identifier,
    Message,
    Require,
    SlugText,
    Strict,
)
from shared.commands.hive_sync import SYNC
from shared.commands.spec import CommandSpec, Effects, Example
from shared.contracts.collective import Severity
from shared.contracts.delegations import Priority


class StatusParameters(Strict):
    """Asks every live agent how it is, and computes everything it says from their answers.

    An agent that announces itself but does not answer in time is `unreachable`. With
    `broadcast_id` or `delegation_id` it also says who has a broadcast, or how far a delegation is.
    """

    agents: AgentNames | SkipJsonSchema[None] = Field(
        default=None, description="Only these; by default every live agent."
    )
    deadline_s: Deadline = Field(default=3.0, description="Seconds to wait for answers.")
    max_memory_percent: float = Field(
        default=95.0, gt=0, le=100, description="Memory use above which an agent is unhealthy."
    )
    max_disk_percent: float = Field(
        default=95.0, gt=0, le=100, description="Disk use above which an agent is unhealthy."
    )
    max_system_load: float = Field(
        default=8.0, gt=0, description="Load of its host for each core above which it is unhealthy."
    )
    broadcast_id: Identifier | SkipJsonSchema[None] = Field(
        default=None, description="A broadcast whose acknowledgements are reported too."
    )
    delegation_id: Identifier | SkipJsonSchema[None] = Field(
        default=None, description="A delegation whose state is reported too."
    )


class AgentHealth(Strict):
    """One agent's answer."""

    agent: str = Field(description="Its name.")
    healthy: bool = Field(description="Whether no limit is passed and it takes tasks.")
    reasons: list[str] = Field(description="Why it is not healthy.")
    host: str = Field(description="The host it runs on.")
    version: str = Field(description="Version of the agent.")
    load: float = Field(description="Share of its slots in use, 0 to 1.")
    running: int = Field(description="Tasks it runs now.")
    slots: int = Field(description="Tasks it can run at once.")
    system_load: float = Field(description="One-minute load of its host for each core.")
    memory_percent: float = Field(description="Memory of its host in use.")
    disk_percent: float = Field(description="Disk with its data in use.")
    uptime_s: float = Field(description="Seconds since the agent started.")
    labels: dict[str, str] = Field(description="Its labels.")
    capabilities: list[str] = Field(description="What it can do.")
    bundles: dict[str, int] = Field(description="Synchronised bundles, with the version it has.")


class BroadcastState(Strict):
    """Who has a broadcast."""

    broadcast_id: str = Field(description="The broadcast.")
    acknowledged_by: list[str] = Field(description="Agents that have it.")
    missing: list[str] = Field(description="Agents that were alive when it was sent, without it.")


class DelegationState(Strict):
    """How far a delegation is."""

    delegation_id: str = Field(description="The delegation.")
    status: str = Field(
        description="`offered`, `accepted`, `declined`, `completed`, `expired` or `cancelled`."
    )
    participant: str = Field(description="Who has, or had, the newest offer.")
    offers: int = Field(description="How often it was offered.")
    result: dict[str, Any] | None = Field(description="What the participant gave on completion.")
    reason: str = Field(description="Why it was declined or ended, if somebody said.")


class StatusOutput(Strict):
    """The state of the hive, computed from answers."""

    total: int = Field(description="Agents that were asked.")
    reachable: int = Field(description="Agents that answered.")
    healthy: int = Field(description="Agents that answered and are healthy.")
    unreachable: list[str] = Field(description="Agents that announced themselves, without answer.")
    unhealthy: list[str] = Field(description="Agents that answered and are not healthy.")
    mean_load: float = Field(description="Mean of the answering agents' load, 0 without any.")
    free_slots: int = Field(description="Tasks that the answering agents could still take.")
    capabilities: dict[str, int] = Field(
        description="Answering agents by capability: how many have it."
    )
    agents: list[AgentHealth] = Field(description="Every answer, by name of the agent.")
    broadcast: BroadcastState | None = Field(default=None, description="With `broadcast_id`.")
    delegation: DelegationState | None = Field(default=None, description="With `delegation_id`.")


class BroadcastParameters(Strict):
    """Sends a message to every agent and waits for their acknowledgements.

    The message is stored before it is sent. An agent acknowledges when it has the message on disk;
    one that is away gets it when it comes back, until it expires. `require` says what counts as
    success: `all` that were alive, `any` of them, or `none` (it is stored and sent).
    """

    message: Message = Field(description="What every agent shall know.")
    category: SlugText = Field(default="general", description="What it is about.")
    severity: Severity = Field(default=Severity.INFO, description="How much it matters.")
    require: Require = Field(default="any", description="Whose acknowledgement makes a success.")
    deadline_s: Deadline = Field(default=5.0, description="Seconds to wait for them.")
    expires_in_s: int = Field(
        default=7 * 86_400,
        ge=60,
        le=YEAR_S,
        description="Seconds for which agents that come back are given it.",
    )


class BroadcastOutput(Strict):
    """Who acknowledged."""

    broadcast_id: str = Field(description="Its id, for `hv-status`.")
    expected: int = Field(description="Agents that were alive when it was sent.")
    acknowledged: int = Field(description="Agents that acknowledged.")
    acknowledged_by: list[str] = Field(description="Their names.")
    missing: list[str] = Field(description="Agents that were alive and did not acknowledge.")
    errors: dict[str, str] = Field(description="Agents that could not keep it, with the reason.")
    sent_at_ms: int = Field(description="When it was stored, epoch milliseconds.")


class DelegateParameters(Strict):
    """Offers a task to the fitting participant with the fewest open tasks, human or AI agent.

    A participant fits if it is available and has every required capability. Declined, or not
    answered within `answer_within_s`, the task is offered to the next. The step waits durably,
    holding no agent. It fails if nobody fits, or when the deadline passes.
    """

    task: Message = Field(description="What is to be done.")
    details: dict[str, Any] = Field(
        default={}, max_length=100, description="Data that belongs to the task."
    )
    priority: Priority = Field(default=Priority.NORMAL, description="How soon it is needed.")
    required_capabilities: Capabilities = Field(
        default=[], description="What a participant must be able to do."
    )
    participants: AgentNames | SkipJsonSchema[None] = Field(
        default=None, description="Only these are asked; by default everybody."
    )
    deadline_s: int = Field(
        default=86_400, ge=1, le=30 * 86_400, description="Seconds until it must be completed."
    )
    answer_within_s: int = Field(
        default=900, ge=1, le=7 * 86_400, description="Seconds for one participant to answer."
    )
    wait_for: Literal["completed", "accepted", "offered"] = Field(
        default="completed", description="What the step waits for."
    )


class DelegateOutput(DelegationState):
    """The delegation, and who was asked."""

    asked: list[str] = Field(description="Everyone it was offered to, in order.")


STATUS = CommandSpec.of(
    name="hv-status",
    summary="Asks every live agent how it is.",
    parameters=StatusParameters,
    output=StatusOutput,
    effects=Effects.NONE,
    capabilities=NEEDS,
    idempotent=True,
    examples=[Example(title="Assess the hive", parameters={"deadline_s": 5})],
)

BROADCAST = CommandSpec.of(
    name="hv-broadcast",
    summary="Sends a message to every agent and collects their acknowledgements.",
    parameters=BroadcastParameters,
    output=BroadcastOutput,
    effects=Effects.IRREVERSIBLE,
    capabilities=NEEDS,
    examples=[
        Example(
            title="Announce an incident",
            parameters={
                "message": "Incident: the database is slow.",
                "category": "incident",
                "severity": "critical",
                "require": "all",
            },
        )
    ],
)

DELEGATE = CommandSpec.of(
    name="hv-delegate",
    summary="Gives a task to a fitting person or AI agent and waits for it.",
    parameters=DelegateParameters,
    output=DelegateOutput,
    effects=Effects.IRREVERSIBLE,
    capabilities=NEEDS,
    examples=[
        Example(
            title="Have an incident resolved",
            parameters={
                "task": "Find out why the database is slow and mend it.",
                "priority": "urgent",
                "required_capabilities": ["database"],
                "deadline_s": 14_400,
            },
        )
    ],
)

SPECS = (STATUS, BROADCAST, DELEGATE, QUERY, RECALL, REMEMBER, SYNC)
"""All hive commands."""
