"""The system's clock, and ids that sort by time (ULID's layout: 48 bits of time, 80 random)."""

from __future__ import annotations

import secrets
import time

from shared.workflow.identity import time_sorted_id


class SystemClock:
    """Wall-clock time of this host."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


class TimeSortedIds:
    """Ids of a prefix and 26 characters of Crockford's base 32, lower case."""

    def execution_id(self) -> str:
        """A new execution id."""
        return self.new("ex")

    def new(self, prefix: str) -> str:
        """A new id: `<prefix>_<26 characters>`."""
        return time_sorted_id(prefix, time.time_ns() // 1_000_000, secrets.randbits(80))
