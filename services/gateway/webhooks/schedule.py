"""When a delivery that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

JITTER: Final = 0.2
"""A delay is lengthened or shortened at random by up to this part of it: receivers that come back
are not met by everything at once."""
RETRY_AFTER_LIMIT_S: Final = 3_600.0
"""A receiver may ask for at most so long a delay."""


class RetrySchedule:
    """Fixed delays, one before each further attempt; then the delivery is given up."""

    def __init__(self, delays_s: Sequence[float], random: Callable[[], float]) -> None:
        """`random` gives numbers from 0 to 1."""
        self._delays_s = tuple(delays_s)
        self._random = random

    def delay_ms(self, failed_attempts: int, retry_after_s: float | None = None) -> int | None:
        """How long to wait after so many failed attempts (from 1); `None`: give it up.

        `retry_after_s` is what the receiver asked for: the longer of the two counts.
        """
        if failed_attempts > len(self._delays_s):
            return None
        planned_s = self._delays_s[failed_attempts - 1]
        spread_s = planned_s * (1 + JITTER * (2 * self._random() - 1))
        asked_s = min(retry_after_s or 0.0, RETRY_AFTER_LIMIT_S)
        return round(max(spread_s, asked_s) * 1_000)
