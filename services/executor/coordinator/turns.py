"""A turn: a batch of journal entries, applied in order.

For each entry: parse it, find the execution's state and program, decide, collect the effects. An
entry whose sequence the state has already applied is skipped. One that cannot be applied (poison)
is quarantined with its reason, and the partition goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from pydantic import ValidationError

from services.executor.coordinator.cache import StateCache
from services.executor.coordinator.programs import Programs
from services.executor.coordinator.translation import Translator
from services.executor.coordinator.writer import WriteBehind
from shared.contracts.history import Quarantined, StoredState
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.ports.store import ExecutionStore
from shared.runtime.clock import created_ms
from shared.runtime.meters import CoordinatorMeter, timed
from shared.workflow.decide import decide
from shared.workflow.errors import WorkflowError
from shared.workflow.messages import JOURNAL_MESSAGE, Entry, ExecutionRequested, JournalMessage
from shared.workflow.program import Program
from shared.workflow.replay import HistoryEntry

log = structlog.get_logger()

FRESH_MS: Final = 60_000
"""An execution younger than this whose request is delivered first cannot be in the store: the
journal remembers the request's message id for longer."""


class Turns:
    """Applies batches of entries."""

    def __init__(
        self,
        *,
        store: ExecutionStore,
        effects: Effects,
        programs: Programs,
        translator: Translator,
        writer: WriteBehind,
        cache: StateCache,
        meter: CoordinatorMeter,
    ) -> None:
        self._store = store
        self._effects = effects
        self._programs = programs
        self._translator = translator
        self._writer = writer
        self._cache = cache
        self._meter = meter
        self.applied: dict[int, int] = {}
        """By partition, the last sequence taken."""

    async def apply(self, entries: Sequence[RawEntry]) -> None:
        """Apply a batch whose states are loaded, send its effects, hand the rest to the writer."""
        floors: dict[int, int] = {}
        self._meter.batch.observe(len(entries))
        with timed(self._meter.turn):
            for raw in entries:
                floors[raw.partition] = raw.seq
                await self._apply_one(raw)
        self._writer.turn_done(self._effects.commit(), floors)
        self.applied.update(floors)

    async def _apply_one(self, raw: RawEntry) -> None:
        stored = self._cache.get(raw.execution_id)
        if stored is not None and raw.seq <= stored.seq:
            return
        try:
            message = JOURNAL_MESSAGE.validate_json(raw.payload)
            program = await self._program(stored, message)
            if program is not None:
                self._decide(raw, stored, message, program)
        except (ValidationError, WorkflowError) as error:
            await self._quarantine(raw, str(error))
        except Exception as error:
            log.exception("entry could not be applied", execution=raw.execution_id, seq=raw.seq)
            await self._quarantine(raw, f"{type(error).__name__}: {error}")

    def _decide(
        self,
        raw: RawEntry,
        stored: StoredState | None,
        message: JournalMessage,
        program: Program,
    ) -> None:
        before = stored.state if stored is not None else None
        entry = Entry.model_construct(
            execution_id=raw.execution_id, seq=raw.seq, at_ms=raw.at_ms, message=message
        )
        decided = decide(program, before, entry)
        if decided.state is None or not decided.events:
            return
        now = StoredState.model_construct(partition=raw.partition, seq=raw.seq, state=decided.state)
        self._cache.put(now)
        self._translator.carry_out(
            before, decided.state, decided.events, raw.at_ms, again=raw.redelivered
        )
        self._meter.decided(before, decided.state, decided.events, raw.at_ms)
        history = HistoryEntry.model_construct(
            seq=raw.seq, at_ms=raw.at_ms, message=message, events=decided.events
        )
        self._writer.changed(now, history)

    async def _program(self, stored: StoredState | None, message: JournalMessage) -> Program | None:
        if stored is not None:
            state = stored.state
            return await self._programs.get(state.template_id, state.template_version)
        if isinstance(message, ExecutionRequested):
            return await self._programs.get(message.template_id, message.template_version)
        return None  # about an execution that does not exist

    async def load_missing(self, entries: Sequence[RawEntry]) -> None:
        """Bring the states of a batch into the cache; raises what the store raises."""
        missing = {
            raw.execution_id
            for raw in entries
            if self._cache.get(raw.execution_id) is None and not _is_fresh(raw)
        }
        if missing:
            for stored in (await self._store.load(sorted(missing))).values():
                self._cache.put(stored)

    async def _quarantine(self, raw: RawEntry, reason: str) -> None:
        self._meter.quarantined.inc()
        log.warning("quarantined", execution=raw.execution_id, seq=raw.seq, reason=reason[:500])
        await self._store.quarantine(
            Quarantined(
                execution_id=raw.execution_id,
                partition=raw.partition,
                seq=raw.seq,
                at_ms=raw.at_ms,
                reason=reason[:4_000],
                payload=raw.payload[:64_000].decode("utf-8", "replace"),
            )
        )


def _is_fresh(raw: RawEntry) -> bool:
    if raw.redelivered or b'"execution_requested"' not in raw.payload[:64]:
        return False
    made_ms = created_ms(raw.execution_id)
    return made_ms is not None and 0 <= raw.at_ms - made_ms < FRESH_MS
