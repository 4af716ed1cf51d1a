"""Beta distributions, held to figures that are known exactly."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.outcomes.beta import TOLERANCE, Belief, cumulative, quantile

WEIGHTS = st.floats(min_value=0.3, max_value=400)
RATES = st.floats(min_value=0.001, max_value=0.999)


@given(st.integers(1, 30), st.integers(1, 30), RATES)
def test_it_is_the_binomial_tail_for_whole_numbers(alpha: int, beta: int, rate: float) -> None:
    """I_x(a, b) is the chance of at least a successes of a + b - 1 trials."""
    n = alpha + beta - 1
    tail = sum(comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(alpha, n + 1))
    assert cumulative(alpha, beta, rate) == pytest.approx(tail, abs=1e-9)


@given(WEIGHTS, WEIGHTS, RATES)
def test_the_other_side_is_the_complement(alpha: float, beta: float, rate: float) -> None:
    """I_x(a, b) + I_1-x(b, a) is 1."""
    total = cumulative(alpha, beta, rate) + cumulative(beta, alpha, 1 - rate)
    assert total == pytest.approx(1, abs=1e-7)


@given(WEIGHTS, WEIGHTS, st.floats(min_value=0.01, max_value=0.99))
def test_a_quantile_is_where_the_probability_is_reached(
    alpha: float, beta: float, level: float
) -> None:
    """Just below it there is less probability than asked for, just above more."""
    found = quantile(alpha, beta, level)
    assert cumulative(alpha, beta, found - TOLERANCE) <= level + 1e-9
    assert cumulative(alpha, beta, found + TOLERANCE) >= level - 1e-9


@given(WEIGHTS, WEIGHTS, st.floats(min_value=2, max_value=20))
def test_more_of_the_same_is_surer(alpha: float, beta: float, times: float) -> None:
    """The interval shrinks when so many times as many cases say the same."""
    low, high = Belief(alpha, beta).interval
    nearer, farther = Belief(alpha * times, beta * times).interval
    assert farther - nearer <= high - low + 2 * TOLERANCE


def test_the_uniform_one() -> None:
    """Without any case every rate is as likely."""
    assert Belief(1, 1).interval == pytest.approx((0.025, 0.975), abs=TOLERANCE)
    assert Belief(1, 1).above(0.3) == pytest.approx(0.7)
