"""One subscription to the stream of events, shared by every socket and every waiting request.

The hub keeps the newest events in memory. Who follows from an older sequence reads the stream on
its own until it has reached what the hub keeps, and goes on with the hub from there: nothing is
left out and nothing comes twice. Who cannot keep up is dropped, so that one slow client costs a
bounded queue and nobody else anything.

Reading every event costs the bus and this process something, so the hub reads only while somebody
listens, and for a while after.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Final

import structlog

from shared.ports.events import EventStream, SequencedEvent
from shared.runtime.endings import end

log = structlog.get_logger()

KEPT_EVENTS: Final = 4_096
RESTART_S: Final = 1.0
IDLE_S: Final = 30.0
"""With nobody listening for so long the hub stops reading, until somebody comes."""
END_TYPES: Final = frozenset(
    f"execution.{status}"
    for status in ("completed", "completed_with_errors", "failed", "cancelled")
)

Accept = Callable[[SequencedEvent], bool]


class SlowFollowerError(Exception):
    """More events waited for this follower than may; `last_seq` is the last that it was given."""

    def __init__(self, last_seq: int) -> None:
        self.last_seq = last_seq
        super().__init__(f"too slow; the last event given was {last_seq}")


class _Follower:
    def __init__(self, accept: Accept, capacity: int) -> None:
        self._accept = accept
        self._capacity = capacity
        self._waiting: deque[SequencedEvent] = deque()
        self._wake = asyncio.Event()
        self.overflowed = asyncio.Event()

    def offer(self, event: SequencedEvent) -> None:
        if self.overflowed.is_set() or not self._accept(event):
            return
        if len(self._waiting) >= self._capacity:
            self.overflowed.set()
        else:
            self._waiting.append(event)
        self._wake.set()

    async def next(self) -> SequencedEvent | None:
        """The next event; `None` when this follower was too slow."""
        while not self._waiting:
            if self.overflowed.is_set():
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()


class EventHub:
    """Reads the stream once for everybody who listens. Call `close` at the end."""

    def __init__(
        self, stream: EventStream, *, kept: int = KEPT_EVENTS, idle_s: float = IDLE_S
    ) -> None:
        self._stream = stream
        self._idle_s = idle_s
        self._listeners = 0
        self._waking = asyncio.Lock()
        self._dozing: asyncio.TimerHandle | None = None
        self._kept: deque[SequencedEvent] = deque(maxlen=kept)
        self._covered_from = 0
        self._followers: set[_Follower] = set()
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop reading; followers get nothing more."""
        if self._dozing is not None:
            self._dozing.cancel()
        task, self._task = self._task, None
        await end([task])

    @property
    def reading(self) -> bool:
        """True while the stream is read."""
        return self._task is not None

    async def last_seq(self) -> int:
        """Sequence of the newest event, as far as it is known here."""
        return self._position if self.reading else await self._stream.last_seq()

    @property
    def _position(self) -> int:
        return self._kept[-1].seq if self._kept else self._covered_from

    def keeps(self, after: int) -> bool:
        """Whether everything behind this sequence is in memory now."""
        return self.reading and after >= self._covered_from

    async def follow(
        self,
        after: int | None,
        accept: Accept,
        capacity: int,
        on_slow: Callable[[], None] = lambda: None,
        execution_id: str | None = None,
    ) -> AsyncGenerator[SequencedEvent, None]:
        """Events after a sequence (default: those still to come) that `accept` lets through.

        With `execution_id`, older ones are read of that execution alone.

        Raises `SlowFollowerError` once more than `capacity` wait; `on_slow` is called already when
        that happens, for a caller that is stuck sending.
        """
        async with self._listening():
            position = self._position if after is None else after
            if not self.keeps(position):
                async with aclosing(self._stream.read(position, execution_id)) as older:
                    async for event in older:
                        position = event.seq
                        if accept(event):
                            yield event
                        if position >= self._covered_from:
                            break
            async with aclosing(self._attached(position, accept, capacity, on_slow)) as newer:
                async for event in newer:
                    yield event

    @asynccontextmanager
    async def watch(self, execution_id: str) -> AsyncGenerator[asyncio.Event, None]:
        """An event that is set when the execution's end has been decided (and is stored soon)."""
        seen = asyncio.Event()
        self._watchers[execution_id].add(seen)
        try:
            async with self._listening():
                yield seen
        finally:
            watchers = self._watchers[execution_id]
            watchers.discard(seen)
            if not watchers:
                del self._watchers[execution_id]

    @asynccontextmanager
    async def _listening(self) -> AsyncGenerator[None, None]:
        """Within, every event from the beginning on is taken."""
        self._listeners += 1
        try:
            async with self._waking:
                if self._task is None:
                    await self._begin()
            yield
        finally:
            self._listeners -= 1
            if self._listeners == 0:
                self._doze_later()

    async def _begin(self) -> None:
        self._kept.clear()
        self._covered_from = await self._stream.last_seq()
        self._task = asyncio.create_task(self._run())

    def _doze_later(self) -> None:
        if self._dozing is not None:
            self._dozing.cancel()
        self._dozing = asyncio.get_running_loop().call_later(self._idle_s, self._doze)

    def _doze(self) -> None:
        if self._listeners == 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _attached(
        self, position: int, accept: Accept, capacity: int, on_slow: Callable[[], None]
    ) -> AsyncGenerator[SequencedEvent, None]:
        follower = _Follower(accept, max(capacity, len(self._kept)))
        for event in self._kept:
            if event.seq > position:
                follower.offer(event)
        self._followers.add(follower)
        stuck = asyncio.create_task(_call_when(follower.overflowed, on_slow))
        last = position
        try:
            while (taken := await follower.next()) is not None:
                last = taken.seq
                yield taken
            raise SlowFollowerError(last)
        finally:
            stuck.cancel()
            self._followers.discard(follower)

    async def _run(self) -> None:
        while True:
            try:
                async with aclosing(self._stream.read(self._position)) as events:
                    async for event in events:
                        self._take(event)
            except Exception as error:
                log.warning("event hub starts again", error=str(error) or type(error).__name__)
            await asyncio.sleep(RESTART_S)

    def _take(self, event: SequencedEvent) -> None:
        if len(self._kept) == self._kept.maxlen:
            self._covered_from = self._kept[0].seq
        self._kept.append(event)
        for follower in tuple(self._followers):
            follower.offer(event)
        if event.event.type in END_TYPES:
            for seen in self._watchers.get(event.event.execution_id or "", ()):
                seen.set()


async def _call_when(happened: asyncio.Event, call: Callable[[], None]) -> None:
    await happened.wait()
    call()
