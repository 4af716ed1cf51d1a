"""Durations in bins: within their error, and the same however they were merged."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outcomes.durations import ERROR, LONGEST_MS, DurationSketch

DURATIONS = st.lists(st.integers(min_value=0, max_value=LONGEST_MS), max_size=60)


def merged(*parts: DurationSketch) -> DurationSketch:
    whole = DurationSketch()
    for part in parts:
        whole.merge(part)
    return whole


def test_an_empty_sketch_says_nothing() -> None:
    """Without any duration there is no quantile and no mean."""
    assert DurationSketch().quantile(0.5) is None
    assert DurationSketch().mean_ms() is None


@given(DURATIONS.filter(bool), st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_its_error(durations: list[int], share: float) -> None:
    """It differs from the duration of that rank by at most 1 percent (and by 1 ms below 2 ms)."""
    exact = sorted(durations)[max(math.ceil(share * len(durations)) - 1, 0)]
    found = DurationSketch.of(durations).quantile(share)
    assert found == pytest.approx(exact, rel=ERROR * 1.0001, abs=1.0)


@given(DURATIONS, DURATIONS, DURATIONS)
def test_merging_has_no_order(one: list[int], two: list[int], three: list[int]) -> None:
    """Merged in any order and grouping it is the sketch that saw all of them."""
    a, b, c = map(DurationSketch.of, (one, two, three))
    whole = DurationSketch.of([*one, *two, *three])
    assert merged(a, b, c) == whole
    assert merged(c, merged(b, a)) == whole
    assert merged(merged(a, b), c) == merged(a, merged(b, c))


@given(DURATIONS)
def test_what_is_saved_is_loaded(durations: list[int]) -> None:
    """A sketch survives being written as JSON, and equal ones are written the same."""
    sketch = DurationSketch.of(durations)
    saved = json.dumps(sketch.save())
    assert DurationSketch.load(json.loads(saved)) == sketch
    assert json.dumps(DurationSketch.of(reversed(durations)).save()) == saved


@given(DURATIONS.filter(bool), DURATIONS.filter(bool))
def test_texts_merge_as_sketches_do(one: list[int], two: list[int]) -> None:
    """What was written as text is counted as if it had been seen."""
    whole = DurationSketch.of(one)
    whole.merge_text(DurationSketch.of(two).text())
    assert whole == DurationSketch.of([*one, *two])


def test_a_share_that_is_none_is_refused() -> None:
    """Shares are between 0 and 1."""
    with pytest.raises(ValueError, match="between 0 and 1; found 50"):
        DurationSketch.of([1]).quantile(50)


def test_clocks_that_differ_make_no_negative_durations() -> None:
    """What ended before it began took no time."""
    assert DurationSketch.of([-5]).quantile(1) == 0
