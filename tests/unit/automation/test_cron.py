"""Cron expressions: what fits, what is refused, and what hours that are missing or doubled do."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.automation.cron import CronError, parse_cron
from shared.automation.zones import ZoneError, moment_of, next_moment, wall_text, zone

BERLIN = "Europe/Berlin"
ZONES = (
    BERLIN,
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
    "Africa/Casablanca",
    "UTC",
)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def walls(cron: str, zone_name: str, start: str, count: int) -> list[str]:
    """The next moments, as the clock on the wall of the zone shows them."""
    found: list[str] = []
    at = ms(start)
    while len(found) < count:
        moment = next_moment(parse_cron(cron), zone_name, at)
        if moment is None:
            break
        found.append(wall_text(moment, zone_name))
        at = moment
    return found


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        ("30 9 * * *", "2026-01-01T10:00", ["2026-01-02T09:30:00", "2026-01-03T09:30:00"]),
        (
            "*/20 0 9-10 * * *",
            "2026-01-01T09:00:30",
            ["2026-01-01T09:00:40", "2026-01-01T10:00:00"],
        ),
        ("0 12 L * *", "2028-02-01", ["2028-02-29T12:00:00", "2028-03-31T12:00:00"]),
        ("0 12 * * FRI#2", "2026-01-01", ["2026-01-09T12:00:00", "2026-02-13T12:00:00"]),
        ("0 12 * * MONL", "2026-01-01", ["2026-01-26T12:00:00", "2026-02-23T12:00:00"]),
        ("0 0 13 * FRI", "2026-02-01", ["2026-02-06T00:00:00", "2026-02-13T00:00:00"]),
        ("0 0 ? JAN,mar 7", "2026-01-25", ["2026-03-01T00:00:00", "2026-03-08T00:00:00"]),
        ("@yearly", "2026-05-01", ["2027-01-01T00:00:00", "2028-01-01T00:00:00"]),
        ("0 0 29 2 *", "2026-01-01", ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]),
        ("5/30 * * * *", "2026-01-01T00:06", ["2026-01-01T00:35:00", "2026-01-01T01:05:00"]),
        ("0 0 30 2 *", "2026-01-01", []),
        ("0 0 L,15 * ?", "2026-01-10", ["2026-01-15T00:00:00", "2026-01-31T00:00:00"]),
    ],
)
def test_expressions_mean_what_cron_says(cron: str, start: str, expected: list[str]) -> None:
    """Lists, ranges, steps, names, last and nth days, and what never happens."""
    assert walls(cron, "UTC", f"{start}+00:00", 2) == [f"{one}+00:00" for one in expected]


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "minute '60' is not in 0 to 59"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "JAN to DEC"),
        ("* * * * MOO", "SUN to SAT"),
        ("*/0 * * * *", "step"),
        ("*/x * * * *", "step"),
        ("9-8 * * * *", "ends before it begins"),
        ("", "0 fields"),
    ],
)
def test_what_means_nothing_is_refused_with_its_field(cron: str, says: str) -> None:
    """Each error names the field and what is allowed."""
    with pytest.raises(CronError, match=says):
        parse_cron(cron)


def test_a_skipped_time_counts_at_the_end_of_the_gap_once() -> None:
    """On the last Sunday of March 02:30 does not exist in Berlin: it is 03:00 then."""
    assert walls("30 2 * * *", BERLIN, "2026-03-28T12:00:00+00:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert walls("10,20,30 2 29 3 *", BERLIN, "2026-03-28T12:00:00+00:00", 2) == [
        "2026-03-29T03:00:00+02:00",
        "2027-03-29T02:10:00+02:00",
    ]
    # Asked in the very last second before the gap, and right behind it.
    assert walls("30 2 * * *", BERLIN, "2026-03-29T00:59:59+00:00", 1) == [
        "2026-03-29T03:00:00+02:00"
    ]
    assert walls("30 2 * * *", BERLIN, "2026-03-29T01:00:00+00:00", 1) == [
        "2026-03-30T02:30:00+02:00"
    ]


def test_a_doubled_time_counts_the_first_time() -> None:
    """On the last Sunday of October 02:30 comes twice in Berlin: the first one counts, also for
    whoever asks between the two."""
    assert walls("30 2 * * *", BERLIN, "2026-10-24T12:00:00+00:00", 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert walls("30 2 * * *", BERLIN, "2026-10-25T00:31:00+00:00", 1) == [
        "2026-10-26T02:30:00+01:00"
    ]
    assert walls("30 2 * * *", BERLIN, "2026-10-25T01:10:00+00:00", 1) == [
        "2026-10-26T02:30:00+01:00"
    ]


def test_what_has_no_fixed_hour_goes_on_through_a_doubled_hour() -> None:
    """Every half hour is every half hour, on the day that has 25 hours as well."""
    assert walls("*/30 * * * *", BERLIN, "2026-10-24T23:40:00+00:00", 5) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_a_day_that_never_was_is_made_up_at_its_end() -> None:
    """Samoa had no 30 December 2011; half an hour of change is no trouble either."""
    assert walls("0 12 30 12 *", "Pacific/Apia", "2011-12-28T12:00:00+00:00", 1) == [
        "2011-12-31T00:00:00+14:00"
    ]
    assert walls("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T16:00:00+00:00", 2) == [
        "2026-04-05T01:45:00+11:00",
        "2026-04-06T01:45:00+10:30",
    ]


def test_one_off_times_follow_the_same_law() -> None:
    """A wall-clock time without an offset: in a gap its end, in a fold the first."""
    assert wall_text(moment_of(datetime.fromisoformat("2026-03-29T02:30"), BERLIN), BERLIN) == (
        "2026-03-29T03:00:00+02:00"
    )
    assert wall_text(moment_of(datetime.fromisoformat("2026-10-25T02:30"), BERLIN), BERLIN) == (
        "2026-10-25T02:30:00+02:00"
    )
    assert moment_of(datetime.fromisoformat("2026-01-01"), "UTC") == ms("2026-01-01T00:00:00+00:00")


def test_an_unknown_zone_says_what_to_write() -> None:
    """No traceback: a sentence."""
    for name in ("Mars/Base", "../etc/passwd", ""):
        with pytest.raises(ZoneError, match="IANA"):
            zone(name)


FIELDS = st.tuples(
    st.sampled_from(["0", "*/15", "7,37", "30", "59"]),
    st.sampled_from(["*", "*/2", "*/6", "0", "1", "2", "3", "1-3", "23"]),
    st.sampled_from(["*", "L", "5", "28-31", "*/7"]),
    st.sampled_from(["*", "3,10", "4", "*/5"]),
    st.sampled_from(["*", "SUN", "0-3", "FRI#1", "SUNL"]),
)


def _fits(cron: str, wall: datetime) -> bool:
    """The plain question, asked of each minute by itself."""
    return parse_cron(cron).next(wall) == wall


def slow_next(cron: str, zone_name: str, after: datetime, hours: int) -> datetime | None:
    """The same law, minute by minute over moments: what an hour that is missing or doubled does
    follows from looking at the clock on the wall before and after each minute."""
    where = ZoneInfo(zone_name)
    minute = timedelta(minutes=1)
    moment = after.replace(second=0)
    for _ in range(hours * 60):
        before = moment.astimezone(where).replace(tzinfo=None)
        moment += minute
        local = moment.astimezone(where)
        wall = local.replace(tzinfo=None, fold=0)
        skipped = wall - before - minute  # what the clock jumped over
        if skipped > timedelta(0):
            steps = int(skipped / minute)
            if any(_fits(cron, before + (n + 1) * minute) for n in range(steps)):
                return moment
        again = local.fold and not parse_cron(cron).any_hour
        if not again and _fits(cron, wall):
            return moment
    return None


@given(
    fields=FIELDS,
    zone_name=st.sampled_from(ZONES),
    around=st.sampled_from(
        ["2026-03-28", "2026-10-24", "2026-04-04", "2026-11-01", "2011-12-29", "2026-02-14"]
    ),
    minutes=st.integers(0, 60 * 40),
)
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_looking_at_every_minute(
    fields: tuple[str, ...], zone_name: str, around: str, minutes: int
) -> None:
    """Around every kind of change the quick search finds what a walk over all minutes finds."""
    cron = " ".join(fields)
    after = datetime.fromisoformat(f"{around}T00:00:00+00:00") + timedelta(minutes=minutes)
    expected = slow_next(cron, zone_name, after, hours=30)
    found = next_moment(parse_cron(cron), zone_name, round(after.timestamp() * 1_000))
    if expected is not None:
        assert found == round(expected.timestamp() * 1_000)
    else:
        assert (
            found is None
            or found > round((after + timedelta(hours=30)).timestamp() * 1_000) - 60_000
        )


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone_name=st.sampled_from(ZONES[:1] + ZONES[1:3]),
    day=st.integers(0, 364),
)
@settings(max_examples=60, deadline=None)
def test_a_fixed_time_comes_exactly_once_a_day(
    hour: int, minute: int, zone_name: str, day: int
) -> None:
    """Whatever the clocks do: one moment for each date, and each later than the one before."""
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    at = round(start.timestamp() * 1_000)
    dates = []
    for _ in range(5):
        moment = next_moment(parse_cron(f"{minute} {hour} * * *"), zone_name, at)
        assert moment is not None
        assert moment > at
        at = moment
        dates.append(datetime.fromisoformat(wall_text(moment, zone_name)).date())
    assert [b - a for a, b in itertools.pairwise(dates)] == [timedelta(days=1)] * 4
