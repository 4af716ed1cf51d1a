"""From wall-clock times to moments: time zones, and the two days a year that are not 24 hours long.

The law:

* A wall-clock time that is skipped when clocks go forward (a gap) counts at the first moment after
  the gap. Several of them count once.
* A wall-clock time that comes twice when clocks go back (a fold) counts the first time. Where the
  hour of a cron expression is not fixed (`*`, `*/2`) it counts both times: what happens every
  quarter of an hour goes on doing so.

Moments are epoch milliseconds. The rules of zones are the system's tz database, which is data: two
computers whose databases differ about a future change of rules differ about moments behind it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.automation.cron import Cron

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class ZoneError(ValueError):
    """There is no such time zone."""


@lru_cache(maxsize=1_000)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises `ZoneError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ZoneError(
            f"there is no time zone {name!r}; write an IANA name such as Europe/Berlin, or UTC"
        ) from None


def next_moment(cron: Cron, zone_name: str, after_ms: int) -> int | None:
    """The first moment after `after_ms` at which `cron` counts in a zone, `None` for never."""
    where = zone(zone_name)
    now = datetime.fromtimestamp(after_ms // 1_000, UTC)
    offset = _offset(where, now)
    local = _resumed(cron, where, now)
    while True:
        wall = cron.next(local)
        if wall is None:
            return None
        moment = (wall - offset).replace(tzinfo=UTC)
        change = _change(where, now, moment)
        if change is None:
            return _ms(moment)
        before, after = _offset(where, change - _SECOND), _offset(where, change)
        until = _wall(change, before)  # what the clock would show if it went on
        resumes = _wall(change, after)
        if after > before:
            if wall < resumes:
                return _ms(change)
            local = resumes
        else:
            local = resumes if cron.any_hour else until
        now, offset = change, after


def moment_of(wall: datetime, zone_name: str) -> int:
    """A wall-clock time as a moment, by the same law."""
    where = zone(zone_name)
    first = wall.replace(tzinfo=where, fold=0)
    moment = first.astimezone(UTC)
    if moment.astimezone(where).replace(tzinfo=None) != wall:  # in a gap
        change = _change(where, moment - _DAY, moment + _DAY)
        moment = change if change is not None else moment
    return _ms(moment)


def wall_text(moment_ms: int, zone_name: str) -> str:
    """A moment as people of a zone write it: `2026-03-29T03:00:00+02:00`."""
    return datetime.fromtimestamp(moment_ms / 1_000, zone(zone_name)).isoformat(timespec="seconds")


def _resumed(cron: Cron, where: ZoneInfo, now: datetime) -> datetime:
    """The wall-clock time from which to look: in the second run of a doubled hour a fixed hour has
    been, so it is looked for behind it."""
    local = now.astimezone(where)
    wall = local.replace(tzinfo=None, fold=0) + _SECOND
    if not local.fold or cron.any_hour:
        return wall
    doubled = local.replace(fold=0).utcoffset() or timedelta()
    change = _change(where, now - _DAY, now)
    return wall if change is None else max(wall, _wall(change, doubled))


def _change(where: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first moment in (start, end] at which the offset is another one."""
    low, offset = start, _offset(where, start)
    while low < end:
        high = min(low + _DAY, end)
        if _offset(where, high) != offset:
            return _bisected(where, low, high, offset)
        low = high
    return None


def _bisected(where: ZoneInfo, low: datetime, high: datetime, offset: timedelta) -> datetime:
    while high - low > _SECOND:
        middle = low + (high - low) // (2 * _SECOND) * _SECOND
        if _offset(where, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(where: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(where).utcoffset() or timedelta()


def _wall(moment: datetime, offset: timedelta) -> datetime:
    return (moment + offset).replace(tzinfo=None)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
