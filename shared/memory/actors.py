"""Actors of the journal in memory, kept as JSON text, as in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import ValidationError

from shared.contracts.actors import StoredActor, StoredKey, StoredRollback
from shared.contracts.automations import StoredAutomation
from shared.memory.faults import Action, Faults
from shared.ports.actors import LoadedActors
from shared.rollback.machine import WITH_SERVICE

A = TypeVar("A", bound=StoredActor)


class MemoryActorStore(Generic[A]):
    """Keeps states for as long as the process lives."""

    def __init__(self, model: type[A], faults: Faults | None = None) -> None:
        self._model = model
        self._faults = faults or Faults()
        self._stored: dict[str, tuple[int, str]] = {}

    async def load(self, ids: Sequence[str]) -> LoadedActors[A]:
        """Those that exist. One that is damaged hides no other."""
        await self._faults.before(Action.LOAD, "")
        states: dict[str, A] = {}
        unreadable: dict[str, str] = {}
        for one in ids:
            try:
                if (found := self._read(one)) is not None:
                    states[one] = found
            except ValidationError as error:
                unreadable[one] = str(error)
        return LoadedActors(states, unreadable)

    def damage(self, actor_id: str) -> None:
        """Make a stored state unreadable."""
        self._stored[actor_id] = (self._stored[actor_id][0], "{")

    async def write(self, states: Sequence[A]) -> frozenset[str]:
        """Replace lower sequences; gives the ids where a higher one stands."""
        await self._faults.before(Action.WRITE, "")
        superseded: set[str] = set()
        for new in states:
            seq = self._stored.get(new.state.id, (0, ""))[0]
            if seq <= new.seq:
                self._stored[new.state.id] = (new.seq, new.model_dump_json())
            else:
                superseded.add(new.state.id)
        await self._faults.after(Action.WRITE, "")
        return frozenset(superseded)

    async def get(self, actor_id: str) -> A | None:
        """One, unless it was deleted."""
        found = self._read(actor_id)
        return None if found is None or found.state.status == "deleted" else found

    async def all(self, kind: str) -> Sequence[A]:
        """All of a kind that are not deleted, oldest first."""
        found = (await self.load(sorted(self._stored))).states.values()
        return [s for s in found if s.state.kind == kind and s.state.status != "deleted"]

    async def peek(self, actor_id: str) -> A | None:
        """One, also a deleted one."""
        return self._read(actor_id)

    def _read(self, actor_id: str) -> A | None:
        found = self._stored.get(actor_id)
        return None if found is None else self._model.model_validate_json(found[1])


class MemoryAutomationStore(MemoryActorStore[StoredAutomation]):
    """Schedules and rules."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__(StoredAutomation, faults)

    async def ids_of(self, receiver: str) -> Sequence[str]:
        """The ids of the rules of a receiver."""
        rules = await self.all("rule")
        return [s.state.id for s in rules if s.searchable()["receiver"] == receiver]


class MemoryKeyStateStore(MemoryActorStore[StoredKey]):
    """Concurrency keys."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__(StoredKey, faults)


class MemoryRollbackStore(MemoryActorStore[StoredRollback]):
    """The rollbacks of each execution."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__(StoredRollback, faults)

    async def newest(
        self, status: str | None, before: tuple[int, str] | None, limit: int
    ) -> Sequence[StoredRollback]:
        """Those that changed last, first."""
        found = [one for one in await self.all("rollback") if status in (None, one.state.status)]
        places = {(one.state.changed_at_ms, one.state.id): one for one in found}
        keys = sorted((k for k in places if before is None or k < before), reverse=True)
        return [places[key] for key in keys[:limit]]

    async def waiting_since(self) -> int | None:
        """Since when the one has waited that waits longest for a rollback service."""
        found = [one.state for one in await self.all("rollback")]
        return min((s.changed_at_ms for s in found if s.status in WITH_SERVICE), default=None)
