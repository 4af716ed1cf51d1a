"""Shares with what so few of them leave open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959963984540054
"""The standard normal distribution's 97.5 % quantile: intervals are of 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`share` of `of`, and the interval in which the true one lies (Wilson's, 95 %)."""

    share: float
    low: float
    high: float
    of: int


def rate(times: int, of: int) -> Rate | None:
    """How large a share that is; None of nothing: there is no rate yet, and none is made up."""
    if not of:
        return None
    share = times / of
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of)) / (1 + Z * Z / of)
    low = 0.0 if not times else max(middle - half, 0.0)
    high = 1.0 if times == of else min(middle + half, 1.0)
    return Rate(share, low, high, of)
