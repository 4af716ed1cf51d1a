"""A turn: a batch of journal entries, applied in order.

For each entry: parse it, find the execution's state and program, decide, collect the effects. An
entry whose sequence the state has already applied is skipped. One that cannot be applied (poison)
is quarantined with its reason, and the partition goes on.

A batch belongs to the tenure of its partitions: what was taken before a partition was given up is
not applied after it, not even by who got it back. It is delivered again.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import ValidationError

from services.executor.coordinator.actors import Actors
from services.executor.coordinator.begun import REQUESTED, Begun
from services.executor.coordinator.cache import StateCache
from services.executor.coordinator.family import Family
from services.executor.coordinator.programs import Programs
from services.executor.coordinator.translation import Translator
from services.executor.coordinator.writer import WriteBehind
from shared.contracts.history import Quarantined, StoredState
from shared.ports.effects import Effects
from shared.ports.journal import RawEntry
from shared.ports.store import ExecutionStore
from shared.runtime.meters import CoordinatorMeter, timed
from shared.workflow.decide import decide
from shared.workflow.errors import CorruptStateError, WorkflowError
from shared.workflow.messages import (
    JOURNAL_MESSAGE,
    AttemptStarted,
    Entry,
    ExecutionRequested,
    JournalMessage,
)
from shared.workflow.program import Program
from shared.workflow.replay import HistoryEntry
from shared.workflow.trusted import trusted

log = structlog.get_logger()

MOST_UNREADABLE: Final = 64_000
"""Bytes that are kept of a quarantined message that is no text. Of any other all are: it may be put
back. The bus takes none that the store could not hold."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries, and the tenures of their partitions when they were taken."""

    entries: Sequence[RawEntry]
    tenures: Mapping[int, int]


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
        actors: Actors | None = None,
    ) -> None:
        self._actors = actors
        self._store = store
        self._effects = effects
        self._programs = programs
        self._translator = translator
        self._writer = writer
        self._cache = cache
        self._meter = meter
        self._family = Family(effects)
        self._begun = Begun()
        self._broken: dict[tuple[str, str], WorkflowError] = {}
        self._unreadable: Mapping[str, str] = {}
        self.applied: dict[int, int] = {}
        """By partition, the last sequence that is applied, here or by an earlier owner."""
        self._tenures: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def begin(self, partition: int) -> None:
        """The partition is about to be opened: what is taken of it from now on is applied."""
        self._tenures[partition] = next(self._numbers)

    def end(self, partition: int) -> None:
        """The partition was given up: nothing of it is applied until `begin`."""
        self._tenures.pop(partition, None)
        self.applied.pop(partition, None)

    def opened(self, partition: int, floor: int) -> None:
        """The partition was taken over, and everything up to `floor` is applied and stored."""
        self.applied[partition] = max(floor, self.applied.get(partition, 0))

    def batch(self, entries: Sequence[RawEntry]) -> Batch:
        """Entries that were taken just now."""
        partitions = {raw.partition for raw in entries}
        return Batch(entries, {p: self._tenures[p] for p in partitions if p in self._tenures})

    async def prepare(self, batch: Batch) -> None:
        """Bring the states and programs of a batch into hand; raises what the store raises.

        After it `apply` waits for nothing, so that no outage can look like a broken message.
        """
        self._cache.pin(frozenset(raw.execution_id for raw in batch.entries))
        missing = {
            raw.execution_id
            for raw in batch.entries
            if self._cache.get(raw.execution_id) is None
            and not self._begun.is_new(raw)
            and not self._is_actor(raw.execution_id)
        }
        if missing:
            loaded = await self._store.load(sorted(missing))
            self._unreadable = loaded.unreadable
            for stored in loaded.states.values():
                if self._is_of_now(batch, stored.partition):
                    self._cache.put(stored)
        if self._actors is not None:
            await self._actors.prepare(
                batch.entries, is_of_now=lambda partition: self._is_of_now(batch, partition)
            )
        wanted = {self._wanted(raw) for raw in self._of_now(batch)}
        for one in sorted(w for w in wanted if w is not None):
            if self._programs.cached(*one) is None:
                await self._prepare_program(one)

    def apply(self, batch: Batch) -> None:
        """Apply a prepared batch, send its effects, hand the rest to the writer."""
        floors: dict[int, int] = {}
        entries = self._of_now(batch)
        self._meter.batch.observe(len(entries))
        with timed(self._meter.turn):
            for raw in entries:
                floors[raw.partition] = raw.seq
                self._apply_one(raw)
        self._broken.clear()
        self._unreadable = {}
        self._cache.pin(frozenset())
        self._writer.turn_done(self._effects.commit(), floors)
        self.applied.update(floors)

    def _is_actor(self, identifier: str) -> bool:
        return self._actors is not None and self._actors.owns(identifier)

    def _of_now(self, batch: Batch) -> Sequence[RawEntry]:
        return [raw for raw in batch.entries if self._is_of_now(batch, raw.partition)]

    def _is_of_now(self, batch: Batch, partition: int) -> bool:
        tenure = batch.tenures.get(partition)
        return tenure is not None and tenure == self._tenures.get(partition)

    def _apply_one(self, raw: RawEntry) -> None:
        stored = self._cache.get(raw.execution_id)
        if stored is not None and raw.seq <= stored.seq:
            return
        try:
            if self._actors is not None and self._is_actor(raw.execution_id):
                self._actors.apply(raw)
                return
            if raw.execution_id in self._unreadable:
                reason = self._unreadable[raw.execution_id]
                raise CorruptStateError(f"the stored state cannot be read: {reason}")
            message = JOURNAL_MESSAGE.validate_json(raw.payload)
            program = self._program(stored, message)
            if program is not None:
                self._decide(raw, stored, message, program)
        except ValidationError as error:
            self._meter.errors.count("poison")
            self._quarantine(raw, str(error))
        except WorkflowError as error:
            self._meter.errors.count("corrupt_state")
            self._quarantine(raw, str(error))
        except Exception as error:
            self._meter.errors.count("internal")
            log.exception("entry could not be applied", execution=raw.execution_id, seq=raw.seq)
            self._quarantine(raw, f"{type(error).__name__}: {error}")

    def _decide(
        self,
        raw: RawEntry,
        stored: StoredState | None,
        message: JournalMessage,
        program: Program,
    ) -> None:
        before = stored.state if stored is not None else None
        entry = trusted(
            Entry, execution_id=raw.execution_id, seq=raw.seq, at_ms=raw.at_ms, message=message
        )
        decided = decide(program, before, entry)
        if isinstance(message, AttemptStarted) and decided.state is not None:
            self._translator.answer(message, decided.state)
        if decided.state is None or not decided.events:
            return
        now = trusted(StoredState, partition=raw.partition, seq=raw.seq, state=decided.state)
        self._translator.carry_out(
            before, decided.state, decided.events, raw.at_ms, again=raw.redelivered
        )
        self._cache.put(now)
        self._meter.decided(before, decided.state, decided.events, raw.at_ms)
        history = trusted(
            HistoryEntry, seq=raw.seq, at_ms=raw.at_ms, message=message, events=decided.events
        )
        self._writer.changed(now, history)

    def _wanted(self, raw: RawEntry) -> tuple[str, str] | None:
        """Template and version whose program an entry needs."""
        stored = self._cache.get(raw.execution_id)
        if stored is not None:
            return stored.state.template_id, stored.state.template_version
        request = _request_in(raw)
        return (request.template_id, request.template_version) if request is not None else None

    async def _prepare_program(self, wanted: tuple[str, str]) -> None:
        """Load a program; why it cannot be had is kept for the quarantine."""
        try:
            await self._programs.get(*wanted)
        except WorkflowError as error:
            self._broken[wanted] = error

    def _program(self, stored: StoredState | None, message: JournalMessage) -> Program | None:
        if stored is not None:
            wanted = stored.state.template_id, stored.state.template_version
        elif isinstance(message, ExecutionRequested):
            wanted = message.template_id, message.template_version
        else:
            return None  # about an execution that does not exist
        program = self._programs.cached(*wanted)
        if program is None:
            raise self._broken.get(wanted) or WorkflowError(f"template {wanted} is not in hand")
        return program

    def _quarantine(self, raw: RawEntry, reason: str) -> None:
        self._meter.quarantined.inc()
        request = _request_in(raw)
        if request is not None and request.parent is not None:
            self._family.refused(raw.execution_id, request.parent, reason)
        elif request is not None:
            self._family.to_source(raw.execution_id, request.trigger, "refused", reason)
        log.warning("quarantined", execution=raw.execution_id, seq=raw.seq, reason=reason[:500])
        self._writer.quarantine(
            Quarantined(
                execution_id=raw.execution_id,
                partition=raw.partition,
                seq=raw.seq,
                at_ms=raw.at_ms,
                reason=reason[:4_000],
                payload=_as_text(raw.payload),
            )
        )


def _as_text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload[:MOST_UNREADABLE].decode("utf-8", "replace")


def _request_in(raw: RawEntry) -> ExecutionRequested | None:
    if REQUESTED not in raw.payload[:64]:
        return None
    try:
        return ExecutionRequested.model_validate_json(raw.payload)
    except ValidationError:
        return None  # quarantined when its turn comes
