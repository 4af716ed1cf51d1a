"""Executions that end, added to the record: in short, with their steps' commands.

The law:

1. An end is acknowledged once what follows from it is in the record, durably. What is added twice
   counts once, by its id.
2. A step's command that somebody ordered to be forgotten after it ran is not added again, whenever
   its end is read, or read again; and none of a user who has opted out of recording.
3. Commands come before the run, in one go: where the run is kept, so are they.
4. Executions go first: where the machine has no processor time to spare, ends are read a few at a
   time, and what is behind is read when it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
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
SHORT_S: Final = 1.0
"""Between two readings where the machine is short of processor time."""
DEFECTS: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What a defect raises; an outage raises other errors."""
PATTERNS: Final = tuple(f"execution.{status}" for status in (*ENDS, *ROLLBACK_ENDS))


_Known = tuple[ExecutionState, Meant, Ending, Sequence[HistoryEntry]]


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
        return await self.items_of([(state, ending)])

    async def items_of(
        self, ended: Sequence[tuple[ExecutionState, Ending | None]]
    ) -> Sequence[AnyRecord]:
        """The same of several, one after another."""
        looked = [await self._known(state, ending) for state, ending in ended]
        known = [one for one in looked if one is not None]
        if not known:
            return ()
        found = await self._pace.run(lambda: [item for one in known for item in _derived(*one)])
        if not any(isinstance(one, RecordedCommand) for one in found):
            return found
        orders = [one.item for one in await self._store.orders()]
        off = await self._choices.off()
        return [
            one
            for one in found
            if not (isinstance(one, RecordedCommand) and one.user in off)
            and not is_forgotten(one, orders)
        ]

    async def _known(self, state: ExecutionState, ending: Ending | None) -> _Known | None:
        """What an execution's items are made of; None where it has none."""
        if is_refused(state):
            return None
        history: Sequence[HistoryEntry] = ()
        if state.rollback is not None:
            history = await self._runs.history(state.execution_id)
        ended = ending or ending_of(state, history)
        if ended is None:
            return None
        meant = await self._runs.meant(state.template_id, state.template_version)
        return state, meant, ended, history

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
        is_short: Callable[[], bool] = lambda: False,
    ) -> None:
        self._feed = feed
        self._runs = runs
        self._deriver = deriver
        self._clock = clock
        self._meter = meter
        self._stored_within_s = stored_within_s
        self._is_short = is_short

    async def run(self) -> None:
        """Follow, for ever."""
        try:
            while True:
                try:
                    await self._feed.follow(PATTERNS, self._clock.now_ms() - SINCE_MS)
                    await self._deal_with(await self._feed.take(AT_ONCE))
                    if self._is_short():
                        await asyncio.sleep(SHORT_S)
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
        """Those that are stored together, the others beside each other: one that is not stored yet
        keeps no other waiting."""
        rest: list[FedEvent] = []
        for begin in range(0, len(events), BESIDE):
            rest += await self._together(events[begin : begin + BESIDE])
        room = asyncio.Semaphore(BESIDE)

        async def deal(fed: FedEvent) -> None:
            async with room:
                if await self._dealt_with(fed):
                    await self._feed.acknowledge([fed])

        results = await asyncio.gather(*(deal(fed) for fed in rest), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                raise error

    async def _together(self, events: Sequence[FedEvent]) -> Sequence[FedEvent]:
        """Deal with those whose end is stored; gives the others, and all where one is a defect."""
        try:
            states = await self._runs.live([fed.event.execution_id or "" for fed in events])
            ready = [fed for fed in events if _is_told(fed, states)]
            found = [(states[fed.event.execution_id or ""], _ending(fed)) for fed in ready]
            await self._tell(found)
        except DEFECTS:
            return events
        await self._feed.acknowledge(ready)
        return [fed for fed in events if fed not in ready]

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
        state = await self._stored(event.execution_id, event.version)
        await self._tell([(state, _ending(fed))])

    async def _tell(self, found: Sequence[tuple[ExecutionState, Ending | None]]) -> None:
        """Add what some executions are to the record."""
        await self._deriver.add(await self._deriver.items_of(found))
        ended = [state for state, ending in found if ending is not None]
        self._meter.runs.inc(sum(not is_refused(state) for state in ended))

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


def _is_told(fed: FedEvent, states: Mapping[str, ExecutionState]) -> bool:
    """True where an event is an end that is stored."""
    state = states.get(fed.event.execution_id or "")
    return state is not None and fed.event.type in PATTERNS and state.version >= fed.event.version


def _ending(fed: FedEvent) -> Ending | None:
    """The end that an event tells of; None where it is that of a rollback."""
    status = fed.event.type.removeprefix("execution.")
    return Ending(status, fed.event.at_ms) if status in ENDS else None


def _derived(
    state: ExecutionState, meant: Meant, ending: Ending, history: Sequence[HistoryEntry]
) -> Sequence[AnyRecord]:
    commands = step_commands_of(state, meant.program) if meant.program is not None else ()
    run = run_of(state, meant.template, ending)
    return [*commands, run, *rollbacks_of(state, history)]
