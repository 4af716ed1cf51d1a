"""Which patterns chance does not explain.

A pattern A·B (A its first part, B the rest) is asked for at every place where it can be parted, in
two ways:

* *order*: in the stretches that hold both, does B begin within reach of an end of A more often than
  if both stood at random places there? In a stretch of n commands two places are in this order
  and near enough with probability r, the share of such pairs of places; with a ends of A and b
  begins of B that happens with 1 - (1 - r)^(a·b).
* *company*: in the stretches that hold A, does B begin within reach more often than its share of
  all commands lets expect?

And as a whole: in the stretches that hold all of its keys, does it stand there more often than if
each of them stood at a random place?

A user whose stretches show a pattern much less often than chance would (with a probability of
`CONTRARY`) has another habit: those stretches are no trials of it, so nobody hides what others do
by doing the opposite.

How many stretches show it is a sum of independent trials, whose upper tail is below that of the
binomial law of the same mean (Hoeffding 1956). The greatest p-value over the places counts: what is
explained by chance at one place is explained. So `edit, run` does not make `edit, run, anything
frequent` remarkable (Webb 2010 calls such patterns productive).

A pattern is significant by its order; or by its company or as a whole, if its order at least does
not look random at any place. Of all that are asked for, the procedure of Benjamini and Yekutieli
(2001), which holds whatever the tests have to do with each other, keeps the share of false ones
below the threshold, a third of it for each way.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shared.mining.patterns import Keys, Pattern

LOOKS_RANDOM: Final = math.log10(0.1)
"""log10 of the p-value above which an order looks random."""
SMALLEST: Final = -300.0
CONTRARY: Final = 0.001
"""Probability of so few of a user's stretches, below which they are left out."""


@dataclass(frozen=True, slots=True)
class Chance:
    """log10 of the p-values of a pattern, in each way."""

    order: float
    company: float
    whole: float


@dataclass(frozen=True, slots=True)
class Background:
    """What chance is asked against: commands by stretch, how far a part reaches to the next, and
    whose the stretches are."""

    lengths: Sequence[int]
    reach: int
    users: Sequence[str] = ()
    """Whose each stretch is; empty: all are one user's."""

    def user(self, stretch: int) -> str:
        """Whose a stretch is."""
        return self.users[stretch] if self.users else ""

    @property
    def commands(self) -> int:
        """All commands."""
        return sum(self.lengths)


def significant(
    patterns: Mapping[Keys, Pattern], background: Background, threshold: float
) -> dict[Keys, float]:
    """The patterns of two keys or more that chance does not explain, each with log10 of the
    smallest of its p-values."""
    asked = {
        keys: chance_of(pattern, patterns, background)
        for keys, pattern in patterns.items()
        if len(keys) > 1
    }
    by_order = _limit([one.order for one in asked.values()], threshold / 3)
    by_company = _limit([one.company for one in asked.values()], threshold / 3)
    by_whole = _limit([one.whole for one in asked.values()], threshold / 3)
    return {
        keys: min(one.order, one.company, one.whole)
        for keys, one in asked.items()
        if one.order <= by_order
        or (one.order <= LOOKS_RANDOM and (one.company <= by_company or one.whole <= by_whole))
    }


def chance_of(pattern: Pattern, patterns: Mapping[Keys, Pattern], background: Background) -> Chance:
    """How chance explains a pattern; fully where its parts are not known."""
    keys = pattern.keys
    order, company = -math.inf, -math.inf
    commands = max(1, background.commands)
    for at in range(1, len(keys)):
        first, rest = patterns.get(keys[:at]), patterns.get(keys[at:])
        if first is None or rest is None:
            continue  # the search was cut short before it came to that part
        order = max(order, _by_order(pattern, first, rest, background))
        company = max(company, _by_company(pattern, first, rest, background, commands))
    if order == -math.inf:
        return Chance(0.0, 0.0, 0.0)
    return Chance(min(0.0, order), min(0.0, company), _by_whole(pattern, patterns, background))


def _by_whole(pattern: Pattern, patterns: Mapping[Keys, Pattern], background: Background) -> float:
    singles = [patterns[key,].ends for key in set(pattern.keys)]
    wanted = Counter(pattern.keys)
    trials: dict[int, float] = {}
    for index in set(singles[0]).intersection(*singles[1:]):
        ways = math.prod(math.perm(patterns[key,].ends[index], n) for key, n in wanted.items())
        if ways:
            share = _in_order(background.lengths[index], len(pattern.keys), background.reach)
            trials[index] = 1 - (1 - share) ** ways
    return _tail(pattern, trials, background)


@lru_cache(maxsize=100_000)
def _in_order(many: int, keys: int, reach: int) -> float:
    """The share of ways to put so many keys at different places, of so many, in which they stand in
    order and each within reach of the one before."""
    if many < keys:
        return 0.0
    ends = [1] * many  # in how many ways a row of keys ends at each place
    for _ in range(keys - 1):
        ends = [sum(ends[max(0, at - reach) : at]) for at in range(many)]
    return sum(ends) / math.perm(many, keys)


def _by_order(pattern: Pattern, first: Pattern, rest: Pattern, background: Background) -> float:
    trials: dict[int, float] = {}
    for index, ends in first.ends.items():
        begins = rest.starts.get(index)
        if begins:
            near = _in_order(background.lengths[index], 2, background.reach)
            trials[index] = 1 - (1 - near) ** (ends * begins)
    return _tail(pattern, trials, background)


def _by_company(
    pattern: Pattern, first: Pattern, rest: Pattern, background: Background, commands: int
) -> float:
    share = min(1.0, sum(rest.starts.values()) / commands)
    trials = {
        index: 1 - (1 - share) ** (min(background.reach, background.lengths[index]) * ends)
        for index, ends in first.ends.items()
    }
    return _tail(pattern, trials, background)


def _tail(pattern: Pattern, trials: Mapping[int, float], background: Background) -> float:
    """log10 of the probability that so many of these stretches hold a pattern, each with its own
    probability; without the users who have another habit."""
    by_user: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for index, share in trials.items():
        mine = by_user[background.user(index)]
        mine[0] += index in pattern.ends
        mine[1] += 1
        mine[2] += share
    kept = [one for one in by_user.values() if not _is_contrary(int(one[0]), one[2])]
    observed, many, mean = (sum(one[n] for one in kept) for n in range(3))
    return binomial_tail(int(observed), int(many), mean)


def _is_contrary(observed: int, mean: float) -> bool:
    """Whether so few are less probable than `CONTRARY`, by the Poisson law of the mean."""
    if mean < -math.log(CONTRARY) or observed >= mean:
        return False
    terms = (math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(observed + 1))
    return sum(terms) < CONTRARY


def binomial_tail(observed: int, trials: int, mean: float) -> float:
    """log10 of the probability of at least `observed` successes of so many trials, `mean` of which
    are expected; above the mean a bound of it: its first term times a geometric series."""
    share = mean / max(1, trials)
    if observed <= mean or share >= 1:
        return 0.0
    if share <= 0:
        return SMALLEST
    left = trials - observed
    term = (
        math.lgamma(trials + 1) - math.lgamma(observed + 1) - math.lgamma(left + 1)
        + observed * math.log(share) + left * math.log1p(-share)
    )  # fmt: skip
    ratio = left / (observed + 1) * share / (1 - share)
    series = -math.log1p(-ratio) if ratio < 1 else math.inf
    return max(SMALLEST, min(0.0, (term + series) / math.log(10)))


def _limit(values: Sequence[float], threshold: float) -> float:
    """The greatest log10 p-value that is still significant."""
    many = len(values)
    if not many:
        return -math.inf
    harmonic = math.log(many) + 0.5772 + 1 / (2 * many)
    limit = -math.inf
    for rank, value in enumerate(sorted(values), 1):
        if value <= math.log10(threshold * rank / (many * harmonic)):
            limit = value
    return limit
