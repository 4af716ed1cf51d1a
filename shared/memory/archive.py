"""The archive of a store in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.archive import Archived, ArchivedSummary, failure_text
from shared.contracts.history import StoredState
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.executions import fits, position, summary_of
from shared.ports.archive import ArchiveQuery


class MemoryArchive:
    """Reads and writes what a store has archived."""

    def __init__(self, store: MemoryExecutionStore) -> None:
        self._store = store

    async def get(self, execution_id: str) -> Archived | None:
        """One execution whole."""
        return self._store.archived.get(execution_id)

    async def archived_at_ms(self, execution_id: str) -> int:
        """When it was archived, 0 where it is not."""
        found = self._store.archived.get(execution_id)
        return found.archived_at_ms if found is not None else 0

    async def find(self, query: ArchiveQuery) -> Sequence[ArchivedSummary]:
        """Those that fit, newest first."""
        fitting = [one for one in self._store.archived.values() if _fits(one, query)]
        fitting.sort(key=lambda one: position(one.stored.state), reverse=True)
        return [_summary(one) for one in fitting[: query.execution.limit]]

    async def templates(self) -> Sequence[str]:
        """Every template that has executions."""
        live = {one.state.template_id for one in await self._live()}
        archived = self._store.archived.values()
        return sorted(live | {one.stored.state.template_id for one in archived})

    async def due(
        self, template_id: str, *, ended_before_ms: int, keep_last: int, settled_ms: int, limit: int
    ) -> Sequence[str]:
        """Ended live executions, oldest first."""
        mine = [one.state for one in await self._live() if one.state.template_id == template_id]
        mine.sort(key=position, reverse=True)
        found = [
            state.execution_id
            for place, state in enumerate(mine)
            if state.ended
            and (
                state.ended_at_ms < ended_before_ms
                or (place >= keep_last and state.ended_at_ms < settled_ms)
            )
        ]
        return found[::-1][:limit]

    async def copy(self, execution_ids: Sequence[str], at_ms: int) -> Sequence[str]:
        """Put those that have ended into the archive."""
        copied = []
        for stored in await self._live():
            execution_id = stored.state.execution_id
            before = self._store.archived.get(execution_id)
            if execution_id not in execution_ids or not stored.state.ended:
                continue
            if before is not None and before.stored.seq > stored.seq:
                self._store.remove(execution_id, stored.seq)
                continue
            archived = before.history if before is not None else ()
            live = self._store.history(execution_id)
            entries = {e.seq: e for e in (*archived, *live) if e.seq <= stored.seq}
            self._store.archived[execution_id] = Archived(
                stored=stored,
                history=tuple(entries[seq] for seq in sorted(entries)),
                archived_at_ms=at_ms,
            )
            self._store.pending.add(execution_id)
            copied.append(execution_id)
        return copied

    async def finish(self, execution_ids: Sequence[str]) -> None:
        """Remove from the live store what the archive holds."""
        for execution_id in set(execution_ids) & self._store.pending:
            self._store.remove(execution_id, self._store.archived[execution_id].stored.seq)
            self._store.pending.discard(execution_id)

    async def unfinished(self, limit: int) -> Sequence[str]:
        """Those that were copied and not finished."""
        return sorted(self._store.pending)[:limit]

    async def expired(self, template_id: str, ended_before_ms: int, limit: int) -> Sequence[str]:
        """Archived executions that ended before a time, oldest first."""
        states = [one.stored.state for one in self._store.archived.values()]
        old = [
            s for s in states if s.template_id == template_id and s.ended_at_ms < ended_before_ms
        ]
        old.sort(key=lambda state: state.ended_at_ms)
        return [state.execution_id for state in old[:limit]]

    async def delete(self, execution_ids: Sequence[str]) -> int:
        """Forget archived executions for ever."""
        live = set(self._store.execution_ids())
        gone = [i for i in execution_ids if i in self._store.archived and i not in live]
        for execution_id in gone:
            del self._store.archived[execution_id]
            self._store.pending.discard(execution_id)
        return len(gone)

    async def count(self) -> int:
        """How many are archived."""
        return len(self._store.archived)

    async def _live(self) -> list[StoredState]:
        loaded = await self._store.load(self._store.execution_ids())
        return list(loaded.states.values())


def _fits(archived: Archived, query: ArchiveQuery) -> bool:
    state = archived.stored.state
    text = failure_text(state.model_dump(mode="json")).casefold()
    return (
        fits(state, query.execution)
        and (query.failure is None or query.failure.casefold() in text)
        and query.execution_id in (None, state.execution_id)
    )


def _summary(archived: Archived) -> ArchivedSummary:
    state = archived.stored.state
    return ArchivedSummary(
        **summary_of(state).model_dump(),
        archived_at_ms=archived.archived_at_ms,
        failure=failure_text(state.model_dump(mode="json")),
    )
