"""States in hand: of the executions that move, so that a turn waits for no database.

What a batch needs is pinned from its preparation until it is applied: what was found in hand at its
beginning must not be gone at its end.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from shared.contracts.history import StoredState

MOST_STATES: Final = 50_000


class StateCache:
    """Newest states by execution id. Only what is stored may be dropped."""

    def __init__(self, most: int = MOST_STATES) -> None:
        self._most = most
        self._states: OrderedDict[str, StoredState] = OrderedDict()
        self._pinned: frozenset[str] = frozenset()

    def pin(self, execution_ids: frozenset[str]) -> None:
        """Keep these, and no others, whatever is stored meanwhile."""
        self._pinned = execution_ids

    def get(self, execution_id: str) -> StoredState | None:
        """The newest state, if it is in hand."""
        return self._states.get(execution_id)

    def put(self, stored: StoredState) -> None:
        """The newest state."""
        self._states[stored.state.execution_id] = stored
        self._states.move_to_end(stored.state.execution_id)

    def drop_stored(self, written: frozenset[str], dirty: frozenset[str]) -> None:
        """Forget ended executions that are stored, and the longest unused beyond the bound."""
        for execution_id in written - dirty - self._pinned:
            stored = self._states.get(execution_id)
            if stored is not None and stored.state.ended:
                del self._states[execution_id]
        excess = len(self._states) - self._most
        if excess > 0:
            for execution_id in self._unused(dirty)[:excess]:
                del self._states[execution_id]

    def _unused(self, dirty: frozenset[str]) -> list[str]:
        return [e for e in self._states if e not in dirty and e not in self._pinned]

    def drop_partition(self, partition: int) -> None:
        """Forget everything of a partition that another coordinator has taken."""
        gone = [e for e, stored in self._states.items() if stored.partition == partition]
        for execution_id in gone:
            del self._states[execution_id]
