"""Token buckets: how many requests each caller may make. In memory, for each gateway process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.gateway import problems

MAX_BUCKETS: Final = 10_000
"""Callers that are remembered; the one silent for longest is forgotten first (and starts full)."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """`rate_per_s` on average, `burst` at once, for each caller."""

    def __init__(
        self,
        rate_per_s: float,
        burst: int,
        now: Callable[[], float] = time.monotonic,
        what: str = "requests",
    ) -> None:
        self._rate = rate_per_s
        self._burst = float(burst)
        self._now = now
        self._what = what
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, cost: float = 1.0) -> None:
        """Take a token. Raises 429, with the time to wait, when there is none."""
        bucket = self._filled(caller)
        if bucket.tokens < cost:
            wait_s = math.ceil((cost - bucket.tokens) / self._rate)
            raise problems.problem(
                "too-many-requests",
                f"More than {self._rate:g} {self._what} per second. Wait {wait_s} s and go slower.",
                headers={"Retry-After": str(wait_s)},
            )
        bucket.tokens -= cost

    def _filled(self, caller: str) -> _Bucket:
        now = self._now()
        bucket = self._buckets.setdefault(caller, _Bucket(self._burst, now))
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
