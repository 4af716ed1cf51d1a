"""Hours, days and months of UTC, and which of them cover a range.

The law:

* Everything is counted in an hour, in the day and in the month that hold it; so to leave out hours
  that are covered by their day changes no sum, and to drop old hours loses nothing but the hours.
* A range is widened to whole hours, before `Kept.hours_since` to whole days, before
  `Kept.days_since` to whole months: it never says less than it was asked for, and says what it is.
* What is asked up to the newest that was counted is asked without end, so that the running day and
  month answer for themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

Level = Literal["h", "d", "m"]
Step = Literal["hour", "day", "week", "month"]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
_MONDAY_MS: Final = 4 * DAY_MS
"""The first Monday after the epoch."""
_LONGEST_FIRST: Final[tuple[Level, ...]] = ("m", "d", "h")
ENDLESS_MS: Final = 253_402_300_800_000
"""The end of the year 9999."""


class Period(NamedTuple):
    """An hour, a day or a month, from `start_ms` on."""

    level: Level
    start_ms: int

    @property
    def end_ms(self) -> int:
        """When the next one begins."""
        if self.level == "m":
            return _next_month(self.start_ms)
        return self.start_ms + (HOUR_MS if self.level == "h" else DAY_MS)


@dataclass(frozen=True, slots=True)
class Kept:
    """Since when hours, days and months are there. All are 0 where nothing was dropped."""

    hours_since: int = 0
    days_since: int = 0
    months_since: int = 0

    def by_level(self) -> dict[Level, int]:
        """The same, by level."""
        return {"h": self.hours_since, "d": self.days_since, "m": self.months_since}

    def is_over(self, period: Period) -> bool:
        """Whether a period is no longer kept."""
        return period.start_ms < self.by_level()[period.level]


@dataclass(frozen=True, slots=True)
class Span:
    """From (included) to (excluded), in epoch milliseconds."""

    from_ms: int
    to_ms: int


def period_of(at_ms: int, level: Level) -> Period:
    """The period that holds a moment."""
    at_ms = min(max(at_ms, 0), ENDLESS_MS - 1)
    if level == "m":
        return Period(level, _month(at_ms))
    size = HOUR_MS if level == "h" else DAY_MS
    return Period(level, at_ms - at_ms % size)


def beginning_of(at_ms: int, step: Step) -> int:
    """Where the hour, day, week (on Monday) or month begins that holds a moment."""
    if step == "week":
        return max(at_ms - (at_ms - _MONDAY_MS) % WEEK_MS, 0)
    level: Level = "m" if step == "month" else "h" if step == "hour" else "d"
    return period_of(at_ms, level).start_ms


def after(start_ms: int, step: Step) -> int:
    """Where the next one begins."""
    if step == "month":
        return _next_month(start_ms)
    size = {"hour": HOUR_MS, "day": DAY_MS, "week": WEEK_MS}[step]
    return (
        start_ms - (start_ms - _MONDAY_MS) % WEEK_MS + size if step == "week" else start_ms + size
    )


def widened(asked: Span, kept: Kept, finest: Level = "h") -> Span:
    """The range in whole periods, as fine as they are kept and `finest` allows."""
    return Span(_floor(asked.from_ms, kept, finest), _ceiling(asked.to_ms, kept, finest))


def cover(span: Span, newest_ms: int, kept: Kept, finest: Level = "h") -> Sequence[Period]:
    """The fewest periods that make up a range, which `widened` gave; in order. Where nothing as
    fine as its edges is kept (`finest`), the first and the last reach beyond it."""
    to_ms = ENDLESS_MS if span.to_ms > newest_ms else span.to_ms
    last_ms = min(to_ms, period_of(newest_ms, "m").end_ms)
    found: list[Period] = []
    at_ms = span.from_ms
    while at_ms < last_ms:
        period = next(_fitting(at_ms, to_ms, kept, finest))
        found.append(period)
        at_ms = period.end_ms
    return found


def slices(span: Span, step: Step) -> Sequence[Span]:
    """The range by hour, day, week or month; the first and the last may be parts of one."""
    found: list[Span] = []
    at_ms = span.from_ms
    while at_ms < span.to_ms:
        end_ms = min(after(beginning_of(at_ms, step), step), span.to_ms)
        found.append(Span(at_ms, end_ms))
        at_ms = end_ms
    return found


def _fitting(at_ms: int, to_ms: int, kept: Kept, finest: Level) -> Iterator[Period]:
    """Periods that begin here and do not go beyond the range, the longest first."""
    for level in _LONGEST_FIRST[: _LONGEST_FIRST.index(finest) + 1]:
        period = period_of(at_ms, level)
        if period.start_ms == at_ms and period.end_ms <= to_ms:
            yield period
    yield period_of(at_ms, _finest_at(at_ms, kept, finest))


def _finest_at(at_ms: int, kept: Kept, finest: Level) -> Level:
    if at_ms < kept.days_since or finest == "m":
        return "m"
    return "d" if at_ms < kept.hours_since or finest == "d" else "h"


def _floor(at_ms: int, kept: Kept, finest: Level) -> int:
    return period_of(at_ms, _finest_at(at_ms, kept, finest)).start_ms


def _ceiling(at_ms: int, kept: Kept, finest: Level) -> int:
    period = period_of(at_ms, _finest_at(at_ms, kept, finest))
    return at_ms if period.start_ms == at_ms else period.end_ms


def _month(at_ms: int) -> int:
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return _ms(datetime(moment.year, moment.month, 1, tzinfo=UTC))


def _next_month(start_ms: int) -> int:
    moment = datetime.fromtimestamp(start_ms // 1000, UTC)
    if (moment.year, moment.month) == (9999, 12):
        return ENDLESS_MS
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return _ms(datetime(year, month + 1, 1, tzinfo=UTC))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000
