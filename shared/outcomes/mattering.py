"""What makes runs of one template differ: several accounts of them, weighed by how well each
foretold what came.

Of values of parameters:

* *None matters*: all runs of the template have one rate.
* *A value is odd*: runs with it have a rate of their own, all others share one. One account for
  each value.
* *Each value has its own rate*. One account for each parameter.

Beforehand the first has all but `MATTERS`; the rest is shared by the parameters: half of each goes
to the account of all its values, half to those of one. Of time:

* *It is as it was*: the first account, of all but `CHANGES`.
* *It changed so many runs ago*: one account for each of `AGO`.

What was seen moves that by the chance that each account gave to it (Bayes). A run is believed to
end as all accounts say, each as far as it is believed: so what may differ widens the interval
before it is known to, and moves the middle as it comes to be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

from shared.outcomes.beta import Belief, belief, log_beta

MATTERS: Final = 0.2
"""How likely some value of some parameter matters, before anything was seen."""
CHANGES: Final = 0.04
"""How likely a template has changed within its latest runs, before anything was seen."""
AGO: Final = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""So many runs ago it may have changed."""
OWN: Final = 3.0
"""The rate of a value that matters leans on that of all others as on so many runs."""
LISTED: Final = 0.02
"""What is less likely to matter is taken not to."""
SURE: Final = 0.9
"""A parameter is said to matter from so likely on."""
_MOST: Final = 600.0


@dataclass(frozen=True, slots=True)
class Cases:
    """Runs that went well and badly, as they count now."""

    good: float
    bad: float

    def without(self, other: Cases) -> Cases:
        """What is left without some of them."""
        return Cases(max(self.good - other.good, 0.0), max(self.bad - other.bad, 0.0))


@dataclass(frozen=True, slots=True)
class Effect:
    """What is believed of a value. `odd`: how likely it is the one that is odd; `each`: how likely
    every value of its parameter has a rate of its own; `own`: of runs with it where it matters;
    `others`: of runs without it where it is odd."""

    parameter: str
    value: str
    odd: float
    each: float
    own: Belief
    others: Belief

    @property
    def matters(self) -> float:
        """How likely it is to matter."""
        return self.odd + self.each


def effects(
    before: Belief, whole: Cases, values: Mapping[str, Mapping[str, Cases]]
) -> tuple[Effect, ...]:
    """The values that may matter, those first that are likeliest to. `before`: what is believed of
    the template without any run of its own; `values`: the runs with each value of each
    parameter."""
    told_apart = {name: some for name, some in values.items() if len(some) > 1}
    if not told_apart:
        return ()
    accounts = [
        account
        for name, some in told_apart.items()
        for account in _accounts(name, some, before, whole, MATTERS / len(told_apart))
    ]
    most = max(one.weight for one in accounts)
    none = log(1 - MATTERS)
    top = max(most, none)
    total = exp(none - top) + sum(exp(one.weight - top) for one in accounts)
    share = {(one.parameter, one.value): exp(one.weight - top) / total for one in accounts}
    found = [
        Effect(
            parameter=one.parameter,
            value=one.value,
            odd=share[one.parameter, one.value],
            each=share[one.parameter, None],
            own=one.own,
            others=one.others,
        )
        for one in accounts
        if one.value is not None
    ]
    listed = [one for one in found if one.matters >= LISTED]
    return tuple(sorted(listed, key=lambda one: (-one.matters, one.parameter, one.value)))


def changes(
    before: Belief, whole: Cases, latest: Sequence[Cases]
) -> tuple[tuple[float, Belief], ...]:
    """How likely a template has changed so many runs ago, and what is believed of it then;
    `latest`: its latest runs one by one, the newest first."""
    found: list[tuple[float, Belief]] = []
    asked = [ago for ago in AGO if ago <= len(latest)]
    none = _foretold(before, whole)
    for ago in asked:
        since = Cases(sum(one.good for one in latest[:ago]), sum(one.bad for one in latest[:ago]))
        weight = _foretold(before, whole.without(since)) + _foretold(before, since) - none
        share = exp(min(weight, _MOST)) * CHANGES / len(asked)
        found.append((share, before.after(since.good, since.bad)))
    total = 1 - CHANGES + sum(share for share, _ in found)
    return tuple((share / total, one) for share, one in found if share / total >= LISTED / 10)


def as_all_say(whole: Belief, given: Iterable[tuple[float, Belief]]) -> Belief:
    """What is believed where each of `given` is so likely to hold, and otherwise `whole`: the Beta
    distribution of the mean and the variance of all."""
    parts = list(given)
    if not parts:
        return whole
    parts.append((max(1 - sum(share for share, _ in parts), 0.0), whole))
    total = sum(share for share, _ in parts)
    mean = sum(share * one.mean for share, one in parts) / total
    second = sum(share * (one.variance + one.mean**2) for share, one in parts) / total
    spread = mean * (1 - mean)
    variance = min(max(second - mean**2, 1e-12), spread / 1.5)
    return belief(mean, spread / variance - 1)


@dataclass(frozen=True, slots=True)
class _Account:
    parameter: str
    value: str | None
    weight: float
    """The logarithm of how well it foretold the runs, over that of "none matters"."""
    own: Belief
    others: Belief


def _accounts(
    name: str, values: Mapping[str, Cases], before: Belief, whole: Cases, share: float
) -> Iterator[_Account]:
    for text, cases in values.items():
        rest = whole.without(cases)
        others = before.after(rest.good, rest.bad)
        own = _leaning_on(others)
        weight = _foretold(before, rest) + _foretold(own, cases) - _foretold(before, whole)
        weight += log(share / 2 / len(values))
        yield _Account(name, text, weight, own.after(cases.good, cases.bad), others)
    weight = log(share / 2) + _each(values, before, whole) - _foretold(before, whole)
    yield _Account(name, None, weight, before, before)


def _each(values: Mapping[str, Cases], before: Belief, whole: Cases) -> float:
    """How well it foretold the runs that each value has a rate of its own around a common mean,
    which the values before it tell. Runs with values that are not told apart come first."""
    rest = whole
    for cases in values.values():
        rest = rest.without(cases)
    weight, mean = _foretold(before, rest), before.after(rest.good, rest.bad)
    for cases in values.values():
        weight += _foretold(_leaning_on(mean), cases)
        counts = OWN / (cases.good + cases.bad + OWN)
        mean = mean.after(cases.good * counts, cases.bad * counts)
    return weight


def _leaning_on(parent: Belief) -> Belief:
    return belief(parent.mean, min(OWN, parent.weight))


def _foretold(before: Belief, cases: Cases) -> float:
    """The logarithm of the chance that a belief gave to cases, in the order in which they came."""
    after = before.after(cases.good, cases.bad)
    return log_beta(after.alpha, after.beta) - log_beta(before.alpha, before.beta)
