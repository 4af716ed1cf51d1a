"""What an agent is asked before a run, and answers: whether it would do its part. Nothing is run,
written or kept for it; no secret's value leaves the agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.contracts.collective import Contract

MAX_USES = 200
MAX_ADDRESSES = 20
HostName = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class CommandUse(Contract):
    """One use of a command: `parameters` as far as they are known, `unknown` the names of those
    that are not; the names of the `secrets` that it takes."""

    id: str = Field(max_length=200)
    command: str = Field(max_length=100)
    parameters: dict[str, Any] = Field(default_factory=dict)
    unknown: tuple[str, ...] = Field((), max_length=200)
    secrets: tuple[str, ...] = Field((), max_length=100)


class NetworkAddress(Contract):
    """A host and a port that steps will connect to."""

    host: HostName
    port: int = Field(ge=1, le=65_535)


class PrecheckQuestion(Contract):
    """Would you run these, do you have their secrets, and can you reach these addresses?"""

    template_id: str
    uses: tuple[CommandUse, ...] = Field((), max_length=MAX_USES)
    addresses: tuple[NetworkAddress, ...] = Field((), max_length=MAX_ADDRESSES)


class PolicyRefusal(Contract):
    """The agent's policy refuses a use (its `id`), by which rule, and what would permit it."""

    use: str
    rule: str
    message: str
    fix: str = ""


class SecretState(Contract):
    """Whether a use would get a secret, by its name: `there`, `missing`, `refused` by policy, or
    `unusable`. Never its value."""

    use: str
    name: str
    state: Literal["there", "missing", "refused", "unusable"]
    message: str = ""


class AddressState(Contract):
    """What came of one attempt to connect: `reached`, `refused` by policy, `unknown` name, no
    answer (`unreachable`), or `skipped`, because the agent is asked too often."""

    host: str
    port: int
    state: Literal["reached", "refused", "unknown", "unreachable", "skipped"]
    took_ms: int = 0
    message: str = ""


class PrecheckAnswer(Contract):
    """What the agent says; `now_ms` is its clock, in milliseconds since the epoch."""

    now_ms: int
    refusals: tuple[PolicyRefusal, ...] = ()
    secrets: tuple[SecretState, ...] = ()
    addresses: tuple[AddressState, ...] = ()
