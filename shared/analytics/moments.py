"""Moments as people write them: epoch milliseconds, dates and times of ISO 8601, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from shared.analytics.periods import DAY_MS, ENDLESS_MS, HOUR_MS, WEEK_MS

FORMS: Final = "epoch milliseconds, 2026-09-23, 2026-09-23T12:00Z, or so long ago: 12h, 7d, 4w, 6mo"
_AGO: Final = re.compile(r"(\d{1,5})(h|d|w|mo|y)")
_UNITS: Final = {
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": WEEK_MS,
    "mo": 30 * DAY_MS,
    "y": 365 * DAY_MS,
}


def moment_ms(text: str, now_ms: int) -> int:
    """The moment in epoch milliseconds; without a zone it is UTC. Raises ValueError with the forms
    there are."""
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) >= 9:
        return min(int(text), ENDLESS_MS)
    ago = _AGO.fullmatch(text)
    if ago:
        return max(now_ms - int(ago[1]) * _UNITS[ago[2]], 0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is not a moment; write {FORMS}") from None
    zoned = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return max(round(zoned.timestamp() * 1000), 0)
