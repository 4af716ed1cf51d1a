"""A clock that stands still until it is told to go on, and wakes what waits for a time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

START_MS: Final = 1_750_000_000_000
"""Where a manual clock starts unless told otherwise: a fixed moment in June 2025."""


class Alarm:
    """Something to be done at a time, unless it is cancelled before."""

    __slots__ = ("_action", "due_ms")

    def __init__(self, due_ms: int, action: Callable[[], None]) -> None:
        self.due_ms = due_ms
        self._action: Callable[[], None] | None = action

    @property
    def cancelled(self) -> bool:
        """True when it was cancelled, or has rung."""
        return self._action is None

    def cancel(self) -> None:
        """Do not do it."""
        self._action = None

    def ring(self) -> None:
        """Do it, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


class ManualClock:
    """Time in epoch milliseconds that passes only in `advance`. Alarms ring in order of their time,
    and of two of the same time the one set first."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._numbers = itertools.count()
        self._alarms: list[tuple[int, int, Alarm]] = []

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ms

    @property
    def next_due_ms(self) -> int | None:
        """When the next alarm rings; `None` when none is set. A simulator goes there at once."""
        while self._alarms and self._alarms[0][2].cancelled:
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def call_at(self, due_ms: int, action: Callable[[], None]) -> Alarm:
        """Call `action` during the `advance` that reaches `due_ms` (the next one if it is past)."""
        alarm = Alarm(due_ms, action)
        heapq.heappush(self._alarms, (due_ms, next(self._numbers), alarm))
        return alarm

    def advance(self, ms: int) -> None:
        """Let so many milliseconds pass; every alarm sees the time for which it was set."""
        until = self._now_ms + ms
        while (due := self.next_due_ms) is not None and due <= until:
            alarm = heapq.heappop(self._alarms)[2]
            self._now_ms = max(self._now_ms, due)
            alarm.ring()
        self._now_ms = until
