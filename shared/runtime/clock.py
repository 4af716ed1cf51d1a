"""The system's clock, and ids that sort by time (ULID's layout: 48 bits of time, 80 random)."""

from __future__ import annotations

import secrets
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


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
        value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        return f"{prefix}_" + "".join(
            _ALPHABET[value >> shift & 31] for shift in range(125, -1, -5)
        )


def created_ms(identifier: str) -> int | None:
    """When an id was made, in epoch milliseconds; `None` when it is not one of ours."""
    body = identifier.rpartition("_")[2]
    if len(body) != 26 or any(c not in _ALPHABET for c in body):
        return None
    value = 0
    for character in body:
        value = value << 5 | _ALPHABET.index(character)
    return value >> 80
