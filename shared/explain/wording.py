"""Words for durations and names, the same in every finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))
MOST_NAMES: Final = 5


def span(milliseconds: int) -> str:
    """A duration as people say it: `350 ms`, `12 s`, `3 min`, `2 h 10 min`."""
    if milliseconds < 1_000:
        return f"{max(0, milliseconds)} ms"
    if milliseconds < 120_000:
        return f"{milliseconds // 1_000} s"
    for index, (size, unit) in enumerate(_UNITS):
        if milliseconds >= size:
            rest = milliseconds % size
            below = _UNITS[index + 1] if index + 1 < len(_UNITS) else None
            more = f" {rest // below[0]} {below[1]}" if below and rest >= below[0] else ""
            return f"{milliseconds // size} {unit}{more}"
    raise AssertionError("every duration of two minutes has minutes")


def names(found: Iterable[str], otherwise: str = "none") -> str:
    """The first few names, and how many more there are."""
    listed = list(found)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return ", ".join(listed[:MOST_NAMES]) + more if listed else otherwise


def count(number: int, word: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {word}" + ("" if number == 1 else "s")
