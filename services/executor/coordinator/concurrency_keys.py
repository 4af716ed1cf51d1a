"""Concurrency keys as a coordinator moves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from shared.contracts.actors import StoredActor, StoredKey
from shared.ports.actors import KeyStateStore
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.workflow.concurrency_key import (
    KEY_MESSAGE,
    SlotFreed,
    is_key,
    key_turn,
)
from shared.workflow.errors import CorruptStateError

log = structlog.get_logger()


class ConcurrencyKeys:
    """Applies entries about keys, and keeps what changed until it is stored."""

    def __init__(self, store: KeyStateStore, effects: Effects) -> None:
        self._store = store
        self._effects = effects
        self._states: dict[str, StoredKey] = {}
        self._dirty: dict[str, StoredKey] = {}
        self._unreadable: Mapping[str, str] = {}

    def owns(self, identifier: str) -> bool:
        """True for the id of a key."""
        return is_key(identifier)

    async def prepare(
        self, entries: Sequence[RawEntry], *, is_of_now: Callable[[int], bool]
    ) -> None:
        """Read the keys of a batch that are not in hand."""
        missing = sorted({raw.execution_id for raw in entries} - self._states.keys())
        loaded = await self._store.load(missing)
        self._unreadable = loaded.unreadable
        self._states.update({i: s for i, s in loaded.states.items() if is_of_now(s.partition)})

    def apply(self, raw: RawEntry) -> None:
        """Apply one entry, and tell executions what came of it."""
        stored = self._states.get(raw.execution_id)
        if stored is not None and raw.seq <= stored.seq:
            return
        if raw.execution_id in self._unreadable:
            reason = self._unreadable[raw.execution_id]
            raise CorruptStateError(f"the stored state cannot be read: {reason}")
        message = KEY_MESSAGE.validate_json(raw.payload)
        before = stored.state if stored is not None else None
        if isinstance(message, SlotFreed) and message.by is not None:
            log.warning("slot released", key=raw.execution_id, **message.model_dump(mode="json"))
        state, told = key_turn(before, raw.execution_id, message, raw.at_ms, raw.seq)
        for tell in told:
            self._effects.append(tell.execution_id, tell.message, tell.message_id)
        if state is not None and state is not before:
            now = StoredKey.model_construct(partition=raw.partition, seq=raw.seq, state=state)
            self._states[raw.execution_id] = self._dirty[raw.execution_id] = now

    def take(self) -> Sequence[StoredKey]:
        """What changed since it was last taken."""
        taken, self._dirty = list(self._dirty.values()), {}
        return taken

    async def store(self, taken: Sequence[StoredActor]) -> frozenset[str]:
        """Store it. Of a key that nobody uses nothing is kept in hand afterwards."""
        keys = [one for one in taken if isinstance(one, StoredKey)]
        superseded = await self._store.write(keys)
        for key in keys:
            if key.state.is_idle and self._states.get(key.state.id) is key:
                del self._states[key.state.id]
        return superseded

    def forget(self, partition: int) -> None:
        """The partition is another coordinator's."""
        for states in (self._states, self._dirty):
            for one in [i for i, stored in states.items() if stored.partition == partition]:
                del states[one]
