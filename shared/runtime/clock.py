"""The system's clock, and ids that sort by time (ULID's layout: 48 bits of time, 80 random)."""

from __future__ import annotations

import secrets
import time
from typing import Final

from shared.workflow.identity import time_sorted_id


class SystemClock:
    """Wall-clock time of this host."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


def elapsed_s() -> float:
    """Seconds since some moment; they go on while the host sleeps (where the system can tell)."""
    return time.clock_gettime(_GOES_ON)


_GOES_ON: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class TimeSortedIds:
    """Ids of a prefix and 26 characters of Crockford's base 32, lower case."""

    def execution_id(self) -> str:
        """A new execution id."""
        return self.new("ex")

    def new(self, prefix: str) -> str:
        """A new id: `<prefix>_<26 characters>`."""
        return time_sorted_id(prefix, time.time_ns() // 1_000_000, secrets.randbits(80))
