"""The actors of one kind that a coordinator has in hand: read, changed, stored, given away.

What a message does to an actor its kind says (`_turn`); what they have in common stands here. A
state knows the sequence it has applied, so an entry that comes again changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from shared.contracts.actors import StoredActor
from shared.ports.actors import ActorStore
from shared.ports.journal import RawEntry
from shared.workflow.errors import CorruptStateError
from shared.workflow.trusted import trusted

Stored = TypeVar("Stored", bound=StoredActor)


class ActorsInHand(ABC, Generic[Stored]):
    """Applies entries about actors of one kind, and keeps what changed until it is stored."""

    def __init__(self, stored: type[Stored], store: ActorStore[Stored]) -> None:
        self._stored = stored
        self._store = store
        self._states: dict[str, Stored] = {}
        self._dirty: dict[str, Stored] = {}
        self._unreadable: Mapping[str, str] = {}

    @abstractmethod
    def owns(self, identifier: str) -> bool:
        """True for the id of one of this kind."""

    @abstractmethod
    def _turn(self, before: Any, raw: RawEntry) -> Any:
        """The state after an entry, whose effects are collected; the same one, or `None`, where
        nothing changed. Raises what a broken entry makes of it."""

    def _is_idle(self, _state: Any) -> bool:
        """True where it need not be kept in hand once it is stored."""
        return False

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Read those of a batch that are not in hand; raises what stores raise.

        `is_of_now` tells whether a partition is still held as it was when they were taken.
        """
        missing = sorted({raw.execution_id for raw in entries} - self._states.keys())
        loaded = await self._store.load(missing)
        self._unreadable = loaded.unreadable
        self._states.update({i: s for i, s in loaded.states.items() if is_of_now(s.partition)})

    def apply(self, raw: RawEntry) -> None:
        """Apply one entry of a prepared batch. Raises what a broken entry makes of it."""
        stored = self._states.get(raw.execution_id)
        if stored is not None and raw.seq <= stored.seq:
            return
        if raw.execution_id in self._unreadable:
            reason = self._unreadable[raw.execution_id]
            raise CorruptStateError(f"the stored state cannot be read: {reason}")
        before = stored.state if stored is not None else None
        after = self._turn(before, raw)
        if after is not None and after is not before:
            now: Stored = trusted(self._stored, partition=raw.partition, seq=raw.seq, state=after)
            self._states[raw.execution_id] = self._dirty[raw.execution_id] = now

    def take(self) -> Sequence[Stored]:
        """What changed since it was last taken, to be stored once its effects are durable."""
        taken, self._dirty = list(self._dirty.values()), {}
        return taken

    async def store(self, taken: Sequence[StoredActor]) -> frozenset[str]:
        """Store it; gives the ids of those where another coordinator has gone on."""
        own = [one for one in taken if isinstance(one, self._stored)]
        superseded = await self._store.write(own)
        for one in own:
            if self._is_idle(one.state) and self._states.get(one.state.id) is one:
                del self._states[one.state.id]
        return superseded

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's."""
        for states in (self._states, self._dirty):
            for one in [i for i, stored in states.items() if stored.partition == partition]:
                del states[one]

    def _state(self, identifier: str) -> Any:
        """A state in hand."""
        stored = self._states.get(identifier)
        return stored.state if stored is not None else None
