"""Periods: they cover a range exactly, with as few as can be, as fine as is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.periods import (
    DAY_MS,
    ENDLESS_MS,
    HOUR_MS,
    Kept,
    Level,
    Period,
    Span,
    Step,
    beginning_of,
    cover,
    period_of,
    slices,
    widened,
)

NEWEST = 1_790_164_800_000
MOMENTS = st.integers(NEWEST - 700 * DAY_MS, NEWEST + 40 * DAY_MS)
KEPT = st.builds(
    lambda hours, days: Kept(
        period_of(NEWEST - hours * DAY_MS, "d").start_ms,
        period_of(NEWEST - (hours + days) * DAY_MS, "m").start_ms,
    ),
    st.integers(2, 60),
    st.integers(31, 400),
)
FINEST = st.sampled_from(["h", "d"])


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(MOMENTS, MOMENTS, KEPT, FINEST)
def test_a_range_is_covered_without_gap_or_overlap(
    one: int, two: int, kept: Kept, finest: Level
) -> None:
    """The periods follow each other from its beginning to its end, or to the last month."""
    span = widened(Span(min(one, two), max(one, two)), kept, finest)
    assert span.from_ms <= min(one, two)
    assert span.to_ms >= max(one, two)
    periods = cover(span, NEWEST, kept, finest)
    edges = [span.from_ms, *(period.end_ms for period in periods)]
    assert [period.start_ms for period in periods] == edges[:-1]
    if span.to_ms <= NEWEST:
        assert edges[-1] == span.to_ms
    elif periods:
        assert edges[-1] == period_of(NEWEST, "m").end_ms
    for period in periods:
        assert period.level != "h" or (period.start_ms >= kept.hours_since and finest == "h")
        assert period.level != "d" or period.start_ms >= kept.days_since


@given(MOMENTS, MOMENTS, st.sampled_from(["hour", "day", "week", "month"]))
def test_slices_make_up_the_range(one: int, two: int, step: Step) -> None:
    """They follow each other, and only the outer ones begin or end within an hour, day, week or
    month."""
    span = Span(min(one, two), max(one, two))
    found = slices(span, step)
    assert [part.from_ms for part in found] == [span.from_ms, *(p.to_ms for p in found)][:-1]
    assert not found or found[-1].to_ms == span.to_ms
    for part in found[1:]:
        assert beginning_of(part.from_ms, step) == part.from_ms


def test_the_running_month_answers_for_itself() -> None:
    """What is asked up to now needs no hours of today."""
    now = at("2026-09-23T12:34:56")
    asked = widened(Span(at("2026-08-30T00:00:00"), now), Kept())
    levels = [(one.level, one.start_ms) for one in cover(asked, now - 5, Kept())]
    assert levels == [
        ("d", at("2026-08-30")),
        ("d", at("2026-08-31")),
        ("m", at("2026-09-01")),
    ]


def test_a_year_takes_few_periods() -> None:
    """Months in the middle, days and hours at the edges."""
    span = Span(at("2025-09-10T05:00:00"), at("2026-09-10T07:00:00"))
    assert len(cover(span, NEWEST, Kept())) <= 11 + 2 * 30 + 2 * 23


def test_what_is_kept_by_months_alone_answers_in_whole_months() -> None:
    """Also where the range begins and ends within them."""
    span = Span(at("2026-06-15"), at("2026-07-03"))
    months = [Period("m", at("2026-06-01")), Period("m", at("2026-07-01"))]
    assert cover(span, NEWEST, Kept(), "m") == months


def test_before_hours_are_kept_days_answer() -> None:
    """The range grows to whole days, and further back to whole months."""
    kept = Kept(hours_since=at("2026-09-10"), days_since=at("2026-02-01"))
    asked = Span(at("2026-08-15T11:20:00"), at("2026-09-11T10:30:00"))
    assert widened(asked, kept) == Span(at("2026-08-15"), at("2026-09-11T11:00:00"))
    assert widened(Span(at("2025-05-05"), NEWEST), kept).from_ms == at("2025-05-01")


@pytest.mark.parametrize(
    ("step", "begins"),
    [
        ("hour", "2026-09-23T12:00:00"),
        ("day", "2026-09-23"),
        ("week", "2026-09-21"),
        ("month", "2026-09-01"),
    ],
)
def test_where_things_begin(step: Step, begins: str) -> None:
    """Weeks begin on Monday."""
    assert beginning_of(at("2026-09-23T12:34:56"), step) == at(begins)


def test_the_ends_of_time() -> None:
    """Nothing lies before 1970 or after 9999."""
    assert period_of(-1, "m") == Period("m", 0)
    assert period_of(ENDLESS_MS + 1, "m").end_ms == ENDLESS_MS
    assert period_of(HOUR_MS - 1, "h") == Period("h", 0)
