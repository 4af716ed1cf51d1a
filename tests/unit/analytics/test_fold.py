"""Analytics as a fold: it keeps the laws, counts each item where it belongs, and forgets by age."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.analytics import fold as fold_module
from shared.analytics.fold import Analytics, Keep
from shared.analytics.periods import period_of
from shared.analytics.rows import Sums
from shared.analytics.views import LEVELS, Name
from shared.learning.fold import Fold
from shared.learning.records import AnyRecord, Forget
from tests.unit.analytics.items import (
    DAY_MS,
    HOUR_MS,
    ITEMS,
    NOON_MS,
    command,
    feedback,
    folded,
    row,
    run,
    tables,
)
from tests.unit.learning.fold_laws import FoldLaws

FORGET = Forget(id="x", at_ms=NOON_MS, by="ann", user="ann")


class TestLaws(FoldLaws):
    """The laws of every fold."""

    def make(self) -> Fold:
        return Analytics()


@given(ITEMS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_does_not_matter(items: list[AnyRecord], chance: object) -> None:
    """The same items in another order, with saves and looks in between, give the same bytes."""
    other = list(items)
    chance.shuffle(other)  # type: ignore[attr-defined]
    mixed = Analytics()
    for place, item in enumerate(other, start=1):
        mixed.apply(item, place)
        if place % 3 == 0:
            mixed.take_changes()
    assert mixed.save() == folded(items).save()


@given(ITEMS)
@settings(max_examples=60, deadline=None)
def test_every_level_counts_the_same(items: list[AnyRecord]) -> None:
    """Hours add up to their day, days to their month, in every view that has them."""
    found = {Name.read(name): text for name, text in tables(folded(items, FOREVER)).items()}
    for (view, scope), level in itertools.product(
        {(name.view, name.scope) for name in found}, ("d", "m")
    ):
        finest = LEVELS[view][0]
        if level not in LEVELS[view] or finest == level:
            continue
        coarse = {n.period: t for n, t in found.items() if n[:2] == (view, scope)}
        for period, text in coarse.items():
            if period.level != level:
                continue
            parts = [
                part
                for other, part in coarse.items()
                if other.level == finest and period_of(other.start_ms, level) == period
            ]
            assert _rows(parts) == _rows([text])


@given(ITEMS)
@settings(max_examples=60, deadline=None)
def test_totals_are_what_is_counted_by_hand(items: list[AnyRecord]) -> None:
    """Months of all views together count what a loop over the items counts."""
    expected: Counter[str] = Counter()
    for item in items:
        if item.type == "run" and not item.rollback_of:
            expected["runs"] += 1
            expected[item.status.replace("completed_with", "with")] += 1
        elif item.type == "rollback":
            expected["rollbacks"] += 1
        elif item.type == "feedback":
            expected[item.verdict] += 1
    counts = row(folded(items, FOREVER), "totals", "").counts
    assert {name: counts.get(name, 0) for name in expected} == expected
    by_template = Sums(_texts(folded(items, FOREVER), "templates"))
    assert sum(by_template.count(key, "runs") for key in by_template) == expected["runs"]


@given(ITEMS)
@settings(max_examples=40, deadline=None)
def test_what_is_dropped_is_no_longer_told(items: list[AnyRecord]) -> None:
    """Whoever keeps a copy by `take_changes`, asked after each item, holds what the fold holds."""
    fold, copy = Analytics(Keep(2, 62, 93)), dict[str, str]()
    for place, item in enumerate(items, start=1):
        fold.apply(item, place)
        changes = fold.take_changes()
        copy |= {name.text(): text for name, text in changes.tables.items()}
        for name in list(copy):
            if changes.kept.is_over(Name.read(name).period):
                copy.pop(name)
    assert copy == tables(fold)


def test_old_hours_give_way_to_days_and_days_to_months() -> None:
    """A run counts in its month when its hour and day are no longer kept; then not at all."""
    keep = Keep(hours_days=2, days_days=62, months_days=120)
    ages = (0, 3, 90, 200)
    items = [run(f"ex_{age}", started_at_ms=NOON_MS - age * DAY_MS) for age in ages]
    fold = folded(items, keep)
    runs = [row(fold, "totals", "", level=level).counts["runs"] for level in ("h", "d", "m")]
    assert runs == [1, 2, 3]


def test_a_clock_of_a_client_drops_nothing() -> None:
    """A command that says it is from the year 9999 changes nothing."""
    items: list[AnyRecord] = [run(), command(NOON_MS), command(250_000_000_000_000)]
    fold = folded(items)
    assert fold.newest_ms == run().at_ms
    assert row(fold, "totals", "", level="h").counts["runs"] == 1


def test_gaps_between_a_persons_commands_are_measured() -> None:
    """From the end of one command to the next of that session, where it is at most five minutes."""
    minute = 60_000
    items: list[AnyRecord] = [
        run(),
        command(NOON_MS, 2_000),
        command(NOON_MS + 12_000, 0),
        command(NOON_MS + 13_000, 0, session="s2"),
        command(NOON_MS + 10 * minute, 0),
        command(NOON_MS + 11 * minute, 0, source="step"),
        command(NOON_MS + 11 * minute, None),
    ]
    gaps = row(folded(items), "totals", "").spans["gap"]
    assert (gaps.count, gaps.total_ms) == (1, 10_000)


def test_forgetting_needs_a_rebuild_only_where_something_is_peoples() -> None:
    """Runs stay counted; what people did and said must be counted anew."""
    assert folded([run()]).forget(FORGET)
    assert not folded([run(), feedback()]).forget(FORGET)
    assert not folded([command(NOON_MS)]).forget(FORGET)


def test_tables_that_are_put_away_count_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is held as an object, the state is the same."""
    items = [run(f"ex_{n}", started_at_ms=NOON_MS + n * HOUR_MS) for n in range(60)]
    whole = folded(items).save()
    monkeypatch.setattr(fold_module, "OPEN_LIMIT", 3)
    monkeypatch.setattr(fold_module, "PENDING_LIMIT", 5)
    assert folded(items).save() == whole


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session that was quiet for longest is forgotten."""
    monkeypatch.setattr(fold_module, "SESSIONS_LIMIT", 2)
    items = [command(NOON_MS + n, session=f"s{n}") for n in range(3)]
    fold = folded([run(), *items, command(NOON_MS + 500, session="s0")])
    assert "gap" not in row(fold, "totals", "").spans


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hours_days": 1}, "hours_days is 1; at least 2"),
        ({"hours_days": 100, "days_days": 62}, "no longer than days"),
    ],
)
def test_what_is_kept_must_make_sense(given: dict[str, int], said: str) -> None:
    """Settings that would leave gaps are refused, by name."""
    with pytest.raises(ValueError, match=said):
        Keep(**given)


FOREVER = Keep(3_000, 3_000, 3_000)


def _texts(fold: Analytics, view: str) -> list[str]:
    return [t for n, t in tables(fold).items() if n.startswith("m/") and f"/{view}/" in n]


def _rows(texts: list[str]) -> dict[tuple[str, ...], object]:
    sums = Sums(texts)
    return {key: sums.row(key) for key in sums}
