"""What the hive keeps together: memories, delegations, broadcasts, participants.

Every implementation raises `NotFoundError` for an id that is not there and is to be changed,
`ConflictError` where somebody else was quicker. Over the bus, `HiveUnavailableError` means that
nobody answers now; an adapter of a database raises its driver's own error then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.contracts.collective import (
    Acknowledgement,
    Broadcast,
    Memory,
    MemoryQuery,
    Participant,
    Recalled,
)
from shared.contracts.delegations import Delegation, DelegationChange, DelegationFilter


class CollectiveError(Exception):
    """Base of what the collective refuses. `code` is stable and survives a network."""

    code = "collective_error"


class NotFoundError(CollectiveError):
    """There is nothing with this id."""

    code = "not_found"


class ConflictError(CollectiveError):
    """It is no longer in a state that allows this; the message says in which it is."""

    code = "conflict"


class InvalidRequestError(CollectiveError):
    """The request cannot be read, or breaks a rule that no repetition will mend."""

    code = "invalid"


class HiveUnavailableError(CollectiveError):
    """Nobody answers, or the answer is not to be had now; the same again may work."""

    code = "unavailable"


class Memories(Protocol):
    """What was worth remembering."""

    async def remember(self, memory: Memory) -> bool:
        """Keep it, durably. False when a memory with this id is kept already (and unchanged)."""
        ...

    async def get(self, memory_id: str) -> Memory | None:
        """One memory, expired or not as long as it is there."""
        ...

    async def recall(self, query: MemoryQuery, now_ms: int) -> Sequence[Recalled]:
        """What fits and has not expired, best first."""
        ...

    async def forget(self, memory_id: str) -> bool:
        """Remove it. False when it was not there."""
        ...


class Delegations(Protocol):
    """Tasks given to participants. Each change is a compare-and-set: one of two rivals wins.

    A change repeated by the same participant is not a conflict: the delegation is given as it is.
    """

    async def offer(self, delegation: Delegation) -> Delegation:
        """Keep a new one. Gives the one with this id that is kept already, if there is."""
        ...

    async def get(self, delegation_id: str) -> Delegation | None:
        """One delegation."""
        ...

    async def find(self, wanted: DelegationFilter) -> Sequence[Delegation]:
        """Those that fit, newest first."""
        ...

    async def open_counts(self) -> Mapping[str, int]:
        """How many offered or accepted delegations each participant has; none is left out."""
        ...

    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Apply one change; gives the delegation after it."""
        ...

    async def accept(self, delegation_id: str, participant: str, at_ms: int) -> Delegation:
        """The participant will do it."""
        ...

    async def complete(
        self, delegation_id: str, participant: str, result: dict[str, Any], at_ms: int
    ) -> Delegation:
        """The participant has done it."""
        ...

    async def decline(
        self, delegation_id: str, participant: str, reason: str, at_ms: int
    ) -> Delegation:
        """The participant will not do it."""
        ...

    async def cancel(self, delegation_id: str, reason: str, at_ms: int) -> Delegation:
        """It is no longer wanted."""
        ...


class Broadcasts(Protocol):
    """Messages to all agents, and which of them have each."""

    async def send(self, broadcast: Broadcast) -> Broadcast:
        """Keep it, durably. Gives the one with this id that is kept already, if there is."""
        ...

    async def get(self, broadcast_id: str) -> Broadcast | None:
        """One broadcast."""
        ...

    async def acknowledge(
        self, broadcast_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> Broadcast:
        """Agents have it; only the first acknowledgement of each counts."""
        ...

    async def newest(
        self, *, before_ms: int | None = None, before_id: str = "", limit: int = 50
    ) -> Sequence[Broadcast]:
        """Newest first."""
        ...

    async def missed(self, agent: str, now_ms: int, limit: int = 100) -> Sequence[Broadcast]:
        """Those not expired that this agent has not acknowledged, oldest first."""
        ...


class Participants(Protocol):
    """Who takes delegated tasks."""

    async def save(self, participant: Participant) -> None:
        """Register, or replace what was known."""
        ...

    async def seen(self, name: str, at_ms: int) -> None:
        """It was heard of. Never goes back in time. Nothing happens to an unknown name."""
        ...

    async def get(self, name: str) -> Participant | None:
        """One participant."""
        ...

    async def all(self) -> Sequence[Participant]:
        """All, by name."""
        ...

    async def remove(self, name: str) -> bool:
        """Forget it. False when it was not there."""
        ...
