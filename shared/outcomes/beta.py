"""Beta distributions: what is believed of a rate.

The regularised incomplete beta function is evaluated by its continued fraction (Lentz's method; see
Press et al., Numerical Recipes, 6.4), quantiles by Newton's method, within brackets that are
halved where it leaves them, to within `TOLERANCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final

TOLERANCE: Final = 1e-4
TAIL: Final = 0.025
"""The middle 95 % are the interval."""
_TINY: Final = 1e-300
_TERMS: Final = 300
_CLOSE: Final = 1e-10
_ROUNDS: Final = 60


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a rate: Beta(`alpha`, `beta`), both above 0."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The expected rate, 0 to 1."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def weight(self) -> float:
        """As many cases as it is worth."""
        return self.alpha + self.beta

    @property
    def variance(self) -> float:
        """How far the true rate may be from the mean, squared."""
        return self.mean * (1 - self.mean) / (self.weight + 1)

    def quantile(self, level: float) -> float:
        """The rate below which the true one is with probability `level`."""
        return quantile(self.alpha, self.beta, level)

    @property
    def interval(self) -> tuple[float, float]:
        """Between these the rate is with 95 %; the mean is always within."""
        low, high = self.quantile(TAIL), self.quantile(1 - TAIL)
        return min(low, self.mean), max(high, self.mean)

    def above(self, rate: float) -> float:
        """How likely the true rate is above `rate`."""
        return 1 - cumulative(self.alpha, self.beta, rate)

    def after(self, good: float, bad: float) -> Belief:
        """What is believed once so many more cases went well, and so many badly."""
        return Belief(self.alpha + good, self.beta + bad)


def belief(mean: float, weight: float) -> Belief:
    """The belief of this mean that is worth so many cases."""
    inside = min(max(mean, 1e-6), 1 - 1e-6)
    return Belief(inside * weight, (1 - inside) * weight)


def log_beta(alpha: float, beta: float) -> float:
    """The logarithm of the beta function."""
    return lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)


def cumulative(alpha: float, beta: float, rate: float) -> float:
    """How likely the rate is at most `rate`."""
    if rate <= 0.0:
        return 0.0
    if rate >= 1.0:
        return 1.0
    front = exp(alpha * log(rate) + beta * log1p(-rate) - log_beta(alpha, beta))
    if rate < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(alpha, beta, rate) / alpha
    return 1 - front * _fraction(beta, alpha, 1 - rate) / beta


@lru_cache(maxsize=50_000)
def quantile(alpha: float, beta: float, level: float) -> float:
    """The rate that the cumulative probability reaches `level` at."""
    low, high = 0.0, 1.0
    rate = alpha / (alpha + beta)
    scale = log_beta(alpha, beta)
    for _ in range(_ROUNDS):
        over = cumulative(alpha, beta, rate) - level
        low, high = (rate, high) if over < 0 else (low, rate)
        if high - low <= TOLERANCE:
            break
        dense = exp((alpha - 1) * log(rate) + (beta - 1) * log1p(-rate) - scale)
        step = over / dense if dense > _TINY else 1.0
        if abs(step) <= TOLERANCE / 10:
            return min(max(rate - step, 0.0), 1.0)
        rate -= step
        if not low < rate < high:
            rate = (low + high) / 2
    return (low + high) / 2


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, _away(1 - (a + b) * x / (a + 1))
    d = 1 / d
    value = d
    for term in range(1, _TERMS):
        even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        value *= d * c
        odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < _CLOSE:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
