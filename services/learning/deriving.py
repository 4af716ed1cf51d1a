"""Executions that end, added to the record: in short, with their steps' commands.

The law:

1. An end is acknowledged once what follows from it is in the record, durably. What is added twice
   counts once, by its id.
2. A step's command that somebody ordered to be forgotten after it ran is not added again, whenever
   its end is read, or read again; and none of a user who has opted out of recording.
3. Commands come before the run, in one go: where the run is kept, so are they.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from services.learning.intake import is_forgotten
from services.learning.pace import Pace
from services.learning.reading import EndedRuns, Meant
from shared.learning.records import AnyRecord, RecordedCommand
from shared.learning.runs import (
    ENDS,
    ROLLBACK_ENDS,
    Ending,
    ending_of,
    is_refused,
    rollbacks_of,
    run_of,
)
from shared.learning.step_commands import step_commands_of
from shared.ports.clock import Clock
from shared.ports.record import ItemRefusedError, RecordSink, RecordStore
from shared.ports.recording import RecordingChoices
from shared.ports.webhooks import EventFeed, FedEvent
from shared.runtime.learning_meter import LearningMeter
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

log = structlog.get_logger()

FEED: Final = "learning"
SINCE_MS: Final = 7 * 86_400_000
"""A feed that nobody followed so far begins so long ago: with all that the stream keeps."""
AT_ONCE: Final = 64
BESIDE: Final = 8
"""Executions that are read beside each other."""
STORED_WITHIN_S: Final = 3.0
"""States are written a moment after the end is published."""
LOOK_AGAIN_S: Final = 0.2
GIVEN_UP_MS: Final = 15 * 60_000
"""An end whose execution cannot be read so long after it was deleted."""
AGAIN_S: Final = 2.0
DEFECTS: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What a defect raises; an outage raises other errors."""
PATTERNS: Final = tuple(f"execution.{status}" for status in (*ENDS, *ROLLBACK_ENDS))


class NotStoredYetError(Exception):
    """The end of an execution is not stored yet."""


class Deriver:
    """Makes items of the record from executions."""

    def __init__(
        self,
        runs: EndedRuns,
        store: RecordStore,
        sink: RecordSink,
        choices: RecordingChoices,
        pace: Pace,
    ) -> None:
        self._runs = runs
        self._choices = choices
        self._store = store
        self._sink = sink
        self._pace = pace

    async def items(self, state: ExecutionState, ending: Ending | None) -> Sequence[AnyRecord]:
        """What an execution is in the record: its steps' commands, its run, its rollbacks; `ending`
        where it is known. Nothing of one that has not ended, or that validation refused."""
        if is_refused(state):
            return ()
        history: Sequence[HistoryEntry] = ()
        if state.rollback is not None:
            history = await self._runs.history(state.execution_id)
        ended = ending or ending_of(state, history)
        if ended is None:
            return ()
        meant = await self._runs.meant(state.template_id, state.template_version)
        found = await self._pace.run(lambda: _derived(state, meant, ended, history))
        orders = [one.item for one in await self._store.orders()]
        off = await self._choices.off()
        return [
            one
            for one in found
            if not (isinstance(one, RecordedCommand) and one.user in off)
            and not is_forgotten(one, orders)
        ]

    async def add(self, items: Sequence[AnyRecord]) -> None:
        """Add items to the record; one that can never be in it is left out."""
        try:
            await self._sink.add(items)
        except ItemRefusedError as error:
            log.warning("item of the record refused", reason=str(error)[:300])


class RunFollower:
    """Follows the ends of executions."""

    def __init__(
        self,
        feed: EventFeed,
        runs: EndedRuns,
        deriver: Deriver,
        clock: Clock,
        meter: LearningMeter,
        *,
        stored_within_s: float = STORED_WITHIN_S,
    ) -> None:
        self._feed = feed
        self._runs = runs
        self._deriver = deriver
        self._clock = clock
        self._meter = meter
        self._stored_within_s = stored_within_s

    async def run(self) -> None:
        """Follow, for ever."""
        try:
            while True:
                try:
                    await self._feed.follow(PATTERNS, self._clock.now_ms() - SINCE_MS)
                    await self._deal_with(await self._feed.take(AT_ONCE))
                except Exception as error:
                    self._meter.errors.count("internal")
                    log.warning(
                        "ends of executions are read again",
                        error=f"{type(error).__name__}: {error}"[:300],
                    )
                    await asyncio.sleep(AGAIN_S)
        finally:
            await self._feed.close()

    async def _deal_with(self, events: Sequence[FedEvent]) -> None:
        """Several at once: one that is not stored yet keeps no other waiting."""
        room = asyncio.Semaphore(BESIDE)

        async def deal(fed: FedEvent) -> None:
            async with room:
                if await self._dealt_with(fed):
                    await self._feed.acknowledge([fed])

        results = await asyncio.gather(*(deal(fed) for fed in events), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                raise error

    async def _dealt_with(self, fed: FedEvent) -> bool:
        """False where it is to come again."""
        try:
            await self._one(fed)
        except NotStoredYetError:
            if self._clock.now_ms() - fed.event.at_ms < GIVEN_UP_MS:
                return False
            log.info("end without its execution", execution=fed.event.execution_id)
        except DEFECTS:  # the same again, however often
            self._meter.errors.count("poison")
            log.exception("end not told in short", execution=fed.event.execution_id)
        return True

    async def _one(self, fed: FedEvent) -> None:
        event = fed.event
        if event.execution_id is None or event.type not in PATTERNS:
            return
        status = event.type.removeprefix("execution.")
        state = await self._stored(event.execution_id, event.version)
        ending = Ending(status, event.at_ms) if status in ENDS else None
        items = await self._deriver.items(state, ending)
        await self._deriver.add(items)
        self._meter.runs.inc(ending is not None and bool(items))

    async def _stored(self, execution_id: str, version: int) -> ExecutionState:
        """The state that has the event of this number. Raises `NotStoredYetError`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._stored_within_s
        while True:
            state = await self._runs.state(execution_id)
            if state is not None and state.version >= version:
                return state
            if loop.time() > until:
                raise NotStoredYetError(execution_id)
            await asyncio.sleep(LOOK_AGAIN_S)


def _derived(
    state: ExecutionState, meant: Meant, ending: Ending, history: Sequence[HistoryEntry]
) -> Sequence[AnyRecord]:
    commands = step_commands_of(state, meant.program) if meant.program is not None else ()
    run = run_of(state, meant.template, ending)
    return [*commands, run, *rollbacks_of(state, history)]
