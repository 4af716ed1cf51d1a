"""What lives in the journal beside executions: schedules, concurrency keys.

An actor is small: its state is one document, read when it is first spoken to and written before the
journal is acknowledged. A state knows the sequence it has applied, and what an actor says has an id
that follows from its state; so a turn that is repeated after a crash says the same once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.contracts.actors import StoredActor
from shared.ports.journal import RawEntry


class ActorKind(Protocol):
    """All actors of one kind that this coordinator moves."""

    def owns(self, identifier: str) -> bool:
        """True for the id of one of this kind."""
        ...

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Bring into hand what `apply` needs for a batch; raises what stores raise. `is_of_now`
        tells whether a partition is still held as it was when the batch was taken."""
        ...

    def apply(self, raw: RawEntry) -> None:
        """Apply one entry of a prepared batch. Raises what a broken entry makes of it."""
        ...

    def take(self) -> Sequence[StoredActor]:
        """What changed since it was last taken, to be stored once its effects are durable."""
        ...

    async def store(self, taken: Sequence[StoredActor]) -> frozenset[str]:
        """Store it; gives the ids of those where another coordinator has gone on."""
        ...

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's."""
        ...


class Actors:
    """Every kind of actor."""

    def __init__(self, *kinds: ActorKind) -> None:
        self._kinds = kinds

    def owns(self, identifier: str) -> bool:
        """True for the id of an actor."""
        return self._kind(identifier) is not None

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Bring into hand what a batch needs; raises what stores raise."""
        for kind in self._kinds:
            own = [raw for raw in entries if kind.owns(raw.execution_id)]
            if own:
                await kind.prepare(own, is_of_now=is_of_now)

    def apply(self, raw: RawEntry) -> None:
        """Apply one entry about an actor."""
        kind = self._kind(raw.execution_id)
        if kind is not None:
            kind.apply(raw)

    def take(self) -> Sequence[StoredActor]:
        """What changed since it was last taken."""
        return [state for kind in self._kinds for state in kind.take()]

    async def store(self, taken: Sequence[StoredActor]) -> frozenset[int]:
        """Store it; gives the partitions where another coordinator has gone on."""
        superseded: frozenset[str] = frozenset()
        for kind in self._kinds:
            own = [one for one in taken if kind.owns(one.state.id)]
            if own:
                superseded |= await kind.store(own)
        return frozenset(one.partition for one in taken if one.state.id in superseded)

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's."""
        for kind in self._kinds:
            kind.forget(partition)

    def _kind(self, identifier: str) -> ActorKind | None:
        return next((kind for kind in self._kinds if kind.owns(identifier)), None)
