"""Rollbacks as a coordinator moves them: actors in the journal, one for each execution."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shared.contracts import subjects
from shared.contracts.actors import StoredActor, StoredRollback
from shared.contracts.rollbacks import planning_task
from shared.ports.actors import RollbackStore
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.rollback.law import Ask, Order, Tell, turn
from shared.rollback.messages import ROLLBACK_MESSAGE
from shared.rollback.state import is_rollback
from shared.workflow.errors import CorruptStateError


class Rollbacks:
    """Applies entries about rollbacks, and keeps what changed until it is stored."""

    def __init__(self, store: RollbackStore, effects: Effects) -> None:
        self._store = store
        self._effects = effects
        self._states: dict[str, StoredRollback] = {}
        self._dirty: dict[str, StoredRollback] = {}
        self._unreadable: Mapping[str, str] = {}

    def owns(self, identifier: str) -> bool:
        """True for the id of an execution's rollbacks."""
        return is_rollback(identifier)

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Read those of a batch that are not in hand."""
        missing = sorted({raw.execution_id for raw in entries} - self._states.keys())
        loaded = await self._store.load(missing)
        self._unreadable = loaded.unreadable
        self._states.update({i: s for i, s in loaded.states.items() if is_of_now(s.partition)})

    def apply(self, raw: RawEntry) -> None:
        """Apply one entry, and send what came of it."""
        stored = self._states.get(raw.execution_id)
        if stored is not None and raw.seq <= stored.seq:
            return
        if raw.execution_id in self._unreadable:
            reason = self._unreadable[raw.execution_id]
            raise CorruptStateError(f"the stored state cannot be read: {reason}")
        message = ROLLBACK_MESSAGE.validate_json(raw.payload)
        before = stored.state if stored is not None else None
        outcome = turn(before, raw.execution_id, message, raw.at_ms)
        for order in outcome.orders:
            self._carry_out(raw, order)
        if outcome.state is not None and outcome.state is not before:
            now = StoredRollback.model_construct(
                partition=raw.partition, seq=raw.seq, state=outcome.state
            )
            self._states[raw.execution_id] = self._dirty[raw.execution_id] = now

    def take(self) -> Sequence[StoredRollback]:
        """What changed since it was last taken."""
        taken, self._dirty = list(self._dirty.values()), {}
        return taken

    async def store(self, taken: Sequence[StoredActor]) -> frozenset[str]:
        """Store it. What is over is not kept in hand afterwards."""
        own = [one for one in taken if isinstance(one, StoredRollback)]
        superseded = await self._store.write(own)
        for one in own:
            if one.state.over and self._states.get(one.state.id) is one:
                del self._states[one.state.id]
        return superseded

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's."""
        for states in (self._states, self._dirty):
            for one in [i for i, stored in states.items() if stored.partition == partition]:
                del states[one]

    def _carry_out(self, raw: RawEntry, order: Order) -> None:
        match order:
            case Tell(execution_id, message, message_id):
                self._effects.append(execution_id, message, message_id)
            case Ask(work, number, details):
                task = planning_task(raw.execution_id, work, number, details)
                self._effects.task(subjects.pool_rollback(), task, again=raw.redelivered)
