"""The query side of executions in memory, fed by hand or by whoever plays the coordinator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from shared.contracts.api.executions import ExecutionSummary
from shared.ports.executions import ExecutionQuery
from shared.workflow.gates import is_asking
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState


class MemoryExecutionQueries:
    """Keeps states and histories for as long as the process lives."""

    def __init__(self) -> None:
        self._states: dict[str, ExecutionState] = {}
        self._history: dict[str, dict[int, HistoryEntry]] = defaultdict(dict)

    def store(self, state: ExecutionState, entries: Iterable[HistoryEntry] = ()) -> None:
        """Keep a state and the history entries that led to it."""
        self._states[state.execution_id] = state
        self._history[state.execution_id] |= {entry.seq: entry for entry in entries}

    async def get(self, execution_id: str) -> ExecutionState | None:
        """The state as last stored."""
        return self._states.get(execution_id)

    async def get_many(self, execution_ids: Collection[str]) -> Mapping[str, ExecutionState]:
        """The states as last stored, by id."""
        return {one: self._states[one] for one in execution_ids if one in self._states}

    async def find(self, query: ExecutionQuery) -> Sequence[ExecutionSummary]:
        """Those that fit, newest first."""
        fitting = [state for state in self._states.values() if fits(state, query)]
        fitting.sort(key=position, reverse=True)
        return [summary_of(state) for state in fitting[: query.limit]]

    async def recent(self, template_id: str, limit: int) -> Sequence[ExecutionState]:
        """The newest ended executions of a template."""
        ended = [s for s in self._states.values() if s.ended and s.template_id == template_id]
        return sorted(ended, key=position, reverse=True)[:limit]

    async def history(
        self, execution_id: str, *, after_seq: int = 0, limit: int = 500
    ) -> Sequence[HistoryEntry]:
        """Entries above a sequence, in order."""
        entries = self._history.get(execution_id, {})
        return [entries[seq] for seq in sorted(entries) if seq > after_seq][:limit]


def position(state: ExecutionState) -> tuple[int, str]:
    """By what lists are ordered."""
    return (state.created_at_ms, state.execution_id)


def fits(state: ExecutionState, query: ExecutionQuery) -> bool:
    """True when every condition of the query holds."""
    created = state.created_at_ms
    return (
        (not query.statuses or state.status.value in query.statuses)
        and query.template_id in (None, state.template_id)
        and query.category in (None, state.category)
        and query.requested_by in (None, state.requested_by.id)
        and (query.label is None or state.labels.get(query.label[0]) == query.label[1])
        and (not query.awaits_approval or is_asking(state))
        and (query.since_ms is None or created >= query.since_ms)
        and (query.until_ms is None or created <= query.until_ms)
        and (query.before is None or position(state) < query.before)
    )


def summary_of(state: ExecutionState) -> ExecutionSummary:
    """An execution as lists show it."""
    ended = state.ended_at_ms
    return ExecutionSummary(
        id=state.execution_id,
        template_id=state.template_id,
        template_version=state.template_version,
        category=state.category,
        status=state.status.value,
        requested_by=state.requested_by.id,
        labels=state.labels,
        created_at_ms=state.created_at_ms,
        updated_at_ms=state.updated_at_ms,
        ended_at_ms=ended,
        duration_ms=ended - state.created_at_ms if ended else None,
    )
