"""Message ids that a stream remembers for a while, to drop what is sent again."""

from __future__ import annotations

from collections import OrderedDict

from shared.memory.clock import ManualClock


class MessageIds:
    """Each id is known for `window_ms` after it was first seen."""

    def __init__(self, clock: ManualClock, window_ms: int) -> None:
        self._clock = clock
        self._window_ms = window_ms
        self._known: OrderedDict[str, int] = OrderedDict()

    def is_new(self, message_id: str) -> bool:
        """Remember an id; false when it is known."""
        now = self._clock.now_ms()
        while self._known and next(iter(self._known.values())) <= now - self._window_ms:
            self._known.popitem(last=False)
        if message_id in self._known:
            return False
        self._known[message_id] = now
        return True
