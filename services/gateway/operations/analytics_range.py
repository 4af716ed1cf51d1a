"""The range of a question about analytics: read from what was asked, checked, divided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.gateway import problems
from shared.analytics.moments import moment_ms
from shared.analytics.periods import (
    DAY_MS,
    Level,
    Period,
    Span,
    Step,
    cover,
    slices,
    widened,
)
from shared.analytics.rows import Sums
from shared.analytics.views import LEVELS, Name, View
from shared.contracts.api.analytics import By, Range
from shared.ports.analytics import AnalyticsStore, Counted

DEFAULT_MS: Final = 30 * DAY_MS
SLICES_LIMIT: Final = 400
"""Most hours, days, weeks or months in one answer."""
_COARSER: Final[Mapping[Step, str]] = {
    "hour": "`day`",
    "day": "`week` or `month`",
    "week": "`month`",
    "month": "a later `from`",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, as it came: moments as text, filters, how to divide."""

    begin: str | None = None
    end: str | None = None
    by: By | None = None
    category: str | None = None
    template: str | None = None

    def divided(self, by: By | None) -> Asked:
        """The same, divided so."""
        return replace(self, by=by)

    def of_category(self, category: str | None) -> Asked:
        """The same of one category; of all without."""
        return replace(self, category=category)

    def of_template(self, template: str | None) -> Asked:
        """The same of one template; of all without."""
        return replace(self, template=template)


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked at: a range in whole periods, and its slices in order."""

    span: Span
    by: Step
    slices: Sequence[Span]
    counted: Counted
    finest: Level

    @property
    def range(self) -> Range:
        """As it is told."""
        return Range(
            from_ms=self.span.from_ms,
            to_ms=self.span.to_ms,
            by=self.by,
            as_of_ms=self.counted.newest_ms,
        )

    def periods(self, view: View, span: Span | None = None) -> Sequence[Period]:
        """Those that make up the range, or a part of it, in the view's own levels."""
        finest = self.finest if self.finest in LEVELS[view] else LEVELS[view][0]
        return cover(span or self.span, self.counted.newest_ms, self.counted.kept, finest)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The tables of a view and scope over the range, or over a part of it."""

    view: View
    scope: str = ""
    span: Span | None = None


class Tables:
    """The tables that answer a question, read at once."""

    def __init__(self, looked: Looked, texts: Mapping[Name, str]):
        self._looked = looked
        self._texts = texts

    def sums(self, wanted: Wanted) -> Sums:
        """What was wanted, summed."""
        names = names_of(self._looked, wanted)
        return Sums(self._texts[name] for name in names if name in self._texts)


async def read(store: AnalyticsStore, looked: Looked, wanted: Iterable[Wanted]) -> Tables:
    """Read the tables of everything that is wanted."""
    names = {name for one in wanted for name in names_of(looked, one)}
    return Tables(looked, await store.read(sorted(names)))


def names_of(looked: Looked, wanted: Wanted) -> Sequence[Name]:
    """The tables that are wanted."""
    periods = looked.periods(wanted.view, wanted.span)
    return [Name(wanted.view, wanted.scope, period) for period in periods]


def looked_at(asked: Asked, now_ms: int, counted: Counted, finest: Level) -> Looked:
    """The range that was asked for, in whole periods. Raises 422 that names the field."""
    end = now_ms if asked.end is None else _moment("to", asked.end, now_ms)
    begin = end - DEFAULT_MS if asked.begin is None else _moment("from", asked.begin, now_ms)
    if begin >= end:
        raise problems.invalid_field("from", "lies not before `to`", "send an earlier moment")
    begin = max(begin, 0)
    by = asked.by or _suiting(Span(begin, end), counted, finest)
    _check_kept(by, begin, counted, finest)
    span = widened(Span(begin, end), counted.kept, finest)
    found = _divided(span, by)
    return Looked(span, by, found, counted, finest)


def _divided(span: Span, by: Step) -> Sequence[Span]:
    least = {"hour": 1 / 24, "day": 1, "week": 7, "month": 31}[by] * DAY_MS
    if (span.to_ms - span.from_ms) / least > SLICES_LIMIT:
        raise problems.invalid_field(
            "by",
            f"divides the range into more than {SLICES_LIMIT}",
            f"send {_COARSER[by]}, or a shorter range",
        )
    return slices(span, by)


def _suiting(span: Span, counted: Counted, finest: Level) -> Step:
    days = (span.to_ms - span.from_ms) / DAY_MS
    if days <= 2 and finest == "h" and span.from_ms >= counted.kept.hours_since:
        return "hour"
    if span.from_ms < counted.kept.days_since:
        return "month"
    return "day" if days <= 62 else "week" if days <= 400 else "month"


def _check_kept(by: Step, begin_ms: int, counted: Counted, finest: Level) -> None:
    if by == "hour" and finest != "h":
        raise problems.invalid_field("by", "is not counted by the hour", "send `day`")
    kept = counted.kept
    if by == "hour" and begin_ms < kept.hours_since:
        raise problems.invalid_field(
            "by", "asks for hours that are no longer kept", "send `day`, or a later `from`"
        )
    if by in ("day", "week") and begin_ms < kept.days_since:
        raise problems.invalid_field(
            "by", "asks for days that are no longer kept", "send `month`, or a later `from`"
        )


def _moment(field: str, text: str, now_ms: int) -> int:
    try:
        return moment_ms(text, now_ms)
    except ValueError as error:
        said, _, fix = str(error).partition("; ")
        raise problems.invalid_field(field, said, fix) from None
