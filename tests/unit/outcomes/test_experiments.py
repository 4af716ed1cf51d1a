"""Whether a change made it worse: what the test promises, measured."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outcomes.experiments import ALPHA, TRIAL, floor_of, judge, stake_of


def ended(rate: float, floor: float, seed: int) -> tuple[str, int]:
    """Run until there is a verdict; gives it and after how many runs."""
    draw = random.Random(seed)
    succeeded = 0
    for runs in range(1, TRIAL + 1):
        succeeded += draw.random() < rate
        found = judge(floor, runs, succeeded)
        if found.verdict != "running":
            return found.verdict, runs
    raise AssertionError("a trial has an end")


@pytest.mark.parametrize("floor", [0.5, 0.8, 0.95])
def test_what_is_no_worse_is_hardly_ever_reverted(floor: float) -> None:
    """Looked at after every run, at most 5 % of the changes that do no harm are reverted."""
    verdicts = [ended(floor, floor, seed)[0] for seed in range(600)]
    assert verdicts.count("worse") / 600 <= ALPHA + 0.02


def test_what_is_much_worse_is_reverted_soon() -> None:
    """From 95 % to 60 %: nearly always, in the middle after about ten runs."""
    found = [ended(0.6, 0.95, seed) for seed in range(300)]
    assert sum(verdict == "worse" for verdict, _ in found) >= 297
    assert sorted(runs for _, runs in found)[150] <= 12


def test_what_is_a_little_worse_may_be_kept() -> None:
    """From 95 % to 93 % cannot be told in a hundred runs."""
    assert ended(0.93, 0.95, 1)[0] == "kept"


@given(st.floats(0.01, 0.99), st.integers(0, 300), st.integers(0, 300))
def test_a_failure_raises_the_stake_and_a_success_lowers_it(
    floor: float, good: int, bad: int
) -> None:
    """Only failures speak for worse."""
    now = stake_of(floor, good, bad)
    assert stake_of(floor, good, bad + 1) >= now
    assert stake_of(floor, good + 1, bad) <= now


@given(st.floats(0.01, 0.99))
def test_a_fair_bet(floor: float) -> None:
    """At the floor itself the stake is expected to stay what it is."""
    expected = floor * stake_of(floor, 1, 0) + (1 - floor) * stake_of(floor, 0, 1)
    assert expected == pytest.approx(1.0)


def test_a_base_that_never_ran_says_nothing() -> None:
    """Without runs of the base nothing can be worse than it."""
    assert floor_of(0, 0) == 0.0
    assert judge(0.0, 10, 0).verdict == "running"
    assert 0.85 < floor_of(100, 95) < 0.95
