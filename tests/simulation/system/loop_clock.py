"""The servers' clock: the virtual time of the event loop, and jumps."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from shared.memory.clock import START_MS, Alarm, ManualClock


class LoopClock(ManualClock):
    """Alarms ring by themselves. A jump lets time pass, or come again, for this clock alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._ahead_ms = 0
        self._next: asyncio.TimerHandle | None = None

    def now_ms(self) -> int:
        """Milliseconds since the epoch, by this clock."""
        return START_MS + self._ahead_ms + int(self._loop.time() * 1000)

    def loop_s(self) -> float:
        """Seconds of the loop, which never jump."""
        return self._loop.time()

    def jump(self, ms: int) -> None:
        """Be so much later, or earlier, than before."""
        self._ahead_ms += ms
        self._arm()

    def call_at(self, due_ms: int, action: Callable[[], None]) -> Alarm:
        """Call `action` when it is `due_ms` by this clock."""
        alarm = super().call_at(due_ms, action)
        self._arm()
        return alarm

    def _arm(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        due_ms = self.next_due_ms
        if due_ms is not None:
            wait_s = max(0, due_ms - self.now_ms()) / 1000
            self._next = self._loop.call_later(wait_s, self._ring)

    def _ring(self) -> None:
        while (due_ms := self.next_due_ms) is not None and due_ms <= self.now_ms():
            heapq.heappop(self._alarms)[2].ring()
        self._arm()
