"""Cron expressions of five or six fields (seconds first), as sets of wall-clock times.

Fields are `[second] minute hour day-of-month month day-of-week`. Each is `*`, `?`, a number, a name
(`JAN`, `MON`), a range `a-b`, a list with commas, each with a step `/n`. `L` as a day of the month
is its last one; `FRI#2` is the second Friday, `FRIL` the last one. Sunday is 0 or 7.

The law (that of cron since 1979): where both the day of the month and the day of the week are
restricted, a day that fits either of them counts.

This module knows no time zones: see `shared.automation.zones` for what a missing or a doubled hour
does.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

HORIZON_YEARS: Final = 50
"""What does not happen within so many years never does (29 February on a given day of the week
comes at least every 40)."""

_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SHORTCUTS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_NTH: Final = re.compile(r"(?P<day>[A-Z0-9]+)(?:#(?P<nth>[1-5])|(?P<last>L))")


class CronError(ValueError):
    """A cron expression that means nothing; says which field and what to write."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.low
        if not text.isdecimal() or not self.low <= int(text) <= self.high:
            raise CronError(
                f"{self.name} {text!r} is not in {self.low} to {self.high}"
                + (f" or {self.names[0]} to {self.names[-1]}" if self.names else "")
            )
        return int(text)


_SECOND: Final = _Field("second", 0, 59)
_MINUTE: Final = _Field("minute", 0, 59)
_HOUR: Final = _Field("hour", 0, 23)
_DAY: Final = _Field("day of the month", 1, 31)
_MONTH: Final = _Field("month", 1, 12, _MONTHS)
_WEEKDAY: Final = _Field("day of the week", 0, 7, _DAYS)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression. `nth` holds pairs of a day of the week (Sunday 0) and which of its kind
    in the month (0: the last). `any_hour` is true where the hour is not fixed."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]
    either_day: bool
    any_hour: bool

    def next(self, at: datetime) -> datetime | None:
        """The first fitting wall-clock time at or after `at` (whole seconds), `None` when there is
        none."""
        day, clock = at.date(), at.time()
        last_year = day.year + HORIZON_YEARS
        while day.year <= min(last_year, date.max.year - 1):
            if day.month not in self.months:
                day, clock = _next_month(day), time()
                continue
            if self._fits(day) and (found := self._time(clock)) is not None:
                return datetime.combine(day, found)
            day, clock = day + timedelta(days=1), time()
        return None

    def _fits(self, day: date) -> bool:
        by_month = day.day in self.days or (self.last_day and day.day == _month_days(day))
        weekday = day.isoweekday() % 7
        nth = (day.day - 1) // 7 + 1
        last = day.day + 7 > _month_days(day)
        by_week = (
            weekday in self.weekdays
            or (weekday, nth) in self.nth
            or (last and (weekday, 0) in self.nth)
        )
        return by_month or by_week if self.either_day else by_month and by_week

    def _time(self, at: time) -> time | None:
        """The first fitting time of a day at or after `at`."""
        for hour in self.hours:
            if hour < at.hour:
                continue
            minutes = (
                self.minutes if hour > at.hour else [m for m in self.minutes if m >= at.minute]
            )
            for minute in minutes:
                now = (hour, minute) == (at.hour, at.minute)
                second = next((s for s in self.seconds if not now or s >= at.second), None)
                if second is not None:
                    return time(hour, minute, second)
        return None


@lru_cache(maxsize=1_000)
def parse_cron(text: str) -> Cron:
    """Raises `CronError`."""
    fields = _SHORTCUTS.get(text.strip().lower(), text).upper().split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise CronError(
            f"{text!r} has {len(fields)} fields; write `minute hour day month weekday`, or six "
            "with the second first"
        )
    second, minute, hour, day, month, weekday = fields
    every_day, every_weekday = day in "*?", weekday in "*?"
    days = [part for part in day.split(",") if part != "L"]
    weekdays, nth = _weekdays(weekday)
    return Cron(
        seconds=_values(second, _SECOND),
        minutes=_values(minute, _MINUTE),
        hours=_values(hour, _HOUR),
        days=frozenset(_values(",".join(days), _DAY)) if days else frozenset(),
        last_day="L" in day.split(","),
        months=frozenset(_values(month, _MONTH)),
        weekdays=weekdays,
        nth=nth,
        either_day=not every_day and not every_weekday,
        any_hour=hour.startswith("*"),
    )


def _weekdays(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    plain: list[str] = []
    nth: set[tuple[int, int]] = set()
    for part in text.split(","):
        match = _NTH.fullmatch(part)
        if match is None:
            plain.append(part)
        else:
            nth.add((_WEEKDAY.number(match["day"]) % 7, int(match["nth"] or 0)))
    values = _values(",".join(plain), _WEEKDAY) if plain else ()
    return frozenset(value % 7 for value in values), frozenset(nth)


def _values(text: str, field: _Field) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        body, slash, step = part.partition("/")
        if slash and (not step.isdecimal() or not int(step)):
            raise CronError(f"{field.name}: the step in {part!r} is not a number above 0")
        found.update(range(*_bounds(body, field, stepped=bool(slash)), int(step or 1)))
    return tuple(sorted(found))


def _bounds(body: str, field: _Field, *, stepped: bool) -> tuple[int, int]:
    if body in ("*", "?"):
        return field.low, field.high + 1
    first, dash, last = body.partition("-")
    low = field.number(first)
    high = field.number(last) if dash else (field.high if stepped else low)
    if high < low:
        raise CronError(f"{field.name}: {body!r} ends before it begins")
    return low, high + 1


def _month_days(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
