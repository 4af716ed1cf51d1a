"""Where actors of the journal are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared.contracts.actors import StoredActor, StoredKey, StoredRollback

A = TypeVar("A", bound=StoredActor)


@dataclass(frozen=True, slots=True)
class LoadedActors(Generic[A]):
    """States by id, and of those that are there and cannot be read, the reason."""

    states: Mapping[str, A]
    unreadable: Mapping[str, str] = field(default_factory=dict)


class ActorStore(Protocol[A]):
    """States of one kind, written behind by the coordinator that owns the partition."""

    async def load(self, ids: Sequence[str]) -> LoadedActors[A]:
        """Those that exist, deleted ones included for a while. Never an old state, and one that is
        damaged hides no other."""
        ...

    async def write(self, states: Sequence[A]) -> frozenset[str]:
        """Store them durably, each only in place of one of a lower sequence. Gives the ids of
        those where a higher one was there: another coordinator has gone on."""
        ...

    async def get(self, actor_id: str) -> A | None:
        """One, unless it was deleted or never was."""
        ...

    async def all(self, kind: str) -> Sequence[A]:
        """All of a kind that are not deleted and can be read, oldest first."""
        ...

    async def peek(self, actor_id: str) -> A | None:
        """One, also when it was deleted a while ago."""
        ...


class RollbackStore(ActorStore[StoredRollback], Protocol):
    """The rollbacks of each execution."""

    async def newest(
        self, status: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredRollback]:
        """Those that changed last, first; `before` is time of change and id of the last one of the
        page before."""
        ...

    async def waiting_since(self) -> int | None:
        """Since when the one has waited that waits longest for a rollback service, in epoch ms;
        `None` where none does."""
        ...


KeyStateStore = ActorStore[StoredKey]
"""Concurrency keys."""
