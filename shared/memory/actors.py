"""Actors of the journal in memory, kept as JSON text, as in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from shared.contracts.actors import StoredActor, StoredKey
from shared.contracts.automations import StoredAutomation
from shared.memory.faults import Action, Faults

A = TypeVar("A", bound=StoredActor)


class MemoryActorStore(Generic[A]):
    """Keeps states for as long as the process lives."""

    def __init__(self, model: type[A], faults: Faults | None = None) -> None:
        self._model = model
        self._faults = faults or Faults()
        self._stored: dict[str, tuple[int, str]] = {}

    async def load(self, ids: Sequence[str]) -> Mapping[str, A]:
        """Those that exist."""
        await self._faults.before(Action.LOAD, "")
        return {one: found for one in ids if (found := self._read(one)) is not None}

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
        found = [stored for one in sorted(self._stored) if (stored := self._read(one))]
        return [s for s in found if s.state.kind == kind and s.state.status != "deleted"]

    async def peek(self, actor_id: str) -> A | None:
        """One, also a deleted one."""
        return self._read(actor_id)

    def _read(self, actor_id: str) -> A | None:
        found = self._stored.get(actor_id)
        return None if found is None else self._model.model_validate_json(found[1])


class MemoryAutomationStore(MemoryActorStore[StoredAutomation]):
    """Schedules."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__(StoredAutomation, faults)


class MemoryKeyStateStore(MemoryActorStore[StoredKey]):
    """Concurrency keys."""

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__(StoredKey, faults)
