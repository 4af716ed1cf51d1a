"""States and histories of executions in memory, as the coordinator writes them.

Everything is kept as JSON text, as in the database, so that what cannot be read back shows here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pydantic import ValidationError

from shared.contracts.archive import Archived
from shared.contracts.history import Quarantined, StoredState
from shared.contracts.quarantine import Resolution
from shared.memory.faults import Action, Faults
from shared.ports.store import Loaded, StateWrite
from shared.workflow.replay import HistoryEntry


class MemoryExecutionStore:
    """Keeps states, histories and quarantined messages for as long as the process lives."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self._states: dict[str, tuple[int, str]] = {}
        self._histories: dict[str, dict[int, str]] = defaultdict(dict)
        self._quarantined: dict[tuple[str, int], Quarantined] = {}
        self.archived: dict[str, Archived] = {}
        self.pending: set[str] = set()
        """Ids of those whose live part is not removed yet."""
        self.resolutions: dict[tuple[str, int], Resolution] = {}
        """What became of quarantined messages, by execution and sequence."""

    async def load(self, execution_ids: Sequence[str]) -> Loaded:
        """The states of those that exist. One that is damaged hides no other."""
        await self._faults.before(Action.LOAD, "")
        states: dict[str, StoredState] = {}
        unreadable: dict[str, str] = {}
        for execution_id in set(execution_ids) & self._states.keys():
            try:
                text = self._states[execution_id][1]
                states[execution_id] = StoredState.model_validate_json(text)
            except ValidationError as error:
                unreadable[execution_id] = str(error)
        for execution_id in set(execution_ids) & self.archived.keys() - self._states.keys():
            states[execution_id] = self.archived[execution_id].stored
        return Loaded(states, unreadable)

    def remove(self, execution_id: str, seq: int) -> None:
        """Forget a live state of at most this sequence, and its history up to that."""
        if execution_id in self._states and self._states[execution_id][0] > seq:
            return
        self._states.pop(execution_id, None)
        kept = {s: text for s, text in self._histories[execution_id].items() if s > seq}
        self._histories[execution_id] = kept

    def forget_state(self, execution_id: str) -> None:
        """Forget a live state alone, as whoever is cut off in the middle of removing it."""
        self._states.pop(execution_id, None)

    def put(self, stored: StoredState) -> None:
        """Store a state as another coordinator would have."""
        self._states[stored.state.execution_id] = (stored.seq, stored.model_dump_json())

    def damage(self, execution_id: str) -> None:
        """Make a stored state unreadable."""
        self._states[execution_id] = (self._states[execution_id][0], "{")

    async def write(self, writes: Sequence[StateWrite]) -> frozenset[str]:
        """Store histories, then states; gives the ids that were stored with a higher sequence.

        Faults are asked once for the histories and once for the states: a crash may come between.
        """
        await self._faults.before(Action.WRITE, "history")
        for write in writes:
            self._add_history(write)
        await self._faults.before(Action.WRITE, "states")
        superseded = frozenset(self._refused(writes))
        await self._faults.after(Action.WRITE, "states")
        return superseded

    async def quarantine(self, message: Quarantined) -> None:
        """Keep a message that could not be applied."""
        await self._faults.before(Action.QUARANTINE, message.execution_id)
        self._quarantined[message.execution_id, message.seq] = message

    @property
    def quarantined(self) -> Sequence[Quarantined]:
        """What could not be applied, by execution and sequence."""
        return [self._quarantined[key] for key in sorted(self._quarantined)]

    def drop_quarantined(self, execution_id: str, seq: int) -> None:
        """Forget one, and what became of it."""
        del self._quarantined[execution_id, seq]
        self.resolutions.pop((execution_id, seq), None)

    def execution_ids(self) -> Sequence[str]:
        """Every execution that is stored."""
        return sorted(self._states)

    def history(self, execution_id: str) -> Sequence[HistoryEntry]:
        """All entries of an execution, each once, in order."""
        entries = self._histories.get(execution_id, {})
        return [HistoryEntry.model_validate_json(entries[seq]) for seq in sorted(entries)]

    def _add_history(self, write: StateWrite) -> None:
        entries = self._histories[write.stored.state.execution_id]
        for entry in write.entries:
            entries.setdefault(entry.seq, entry.model_dump_json())

    def _refused(self, writes: Sequence[StateWrite]) -> list[str]:
        refused = []
        for write in writes:
            execution_id, seq = write.stored.state.execution_id, write.stored.seq
            known = self._states.get(execution_id, (-1, ""))[0]
            if known > seq:
                refused.append(execution_id)
            elif known < seq:
                self._states[execution_id] = (seq, write.stored.model_dump_json())
        return refused
