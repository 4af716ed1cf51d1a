"""Whether a change made it better or worse: a test that may be looked at after every run.

The law:

1. When a change is applied, the rate at which the base version succeeded is written down: with
   95 % it is at least `floor`.
2. Of the runs of the changed version, each success multiplies a stake by 1 - L(1 - floor), each
   failure by 1 + L floor; several stakes L are played at once and averaged. While the change is not
   worse than `floor`, the mean of the stake never grows; so the chance that it ever reaches 1 /
   ALPHA is at most ALPHA, however often one looks (Ville's inequality; betting as in Waudby-Smith
   and Ramdas, 2023).
3. Once it does, the change is *worse* and is reverted. After `TRIAL` runs without that, it is
   *kept*.

So a change that does no harm is reverted with at most 5 % + 5 %; one that does much harm is
reverted after a few runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Final, Literal

from shared.outcomes.beta import Belief

ALPHA: Final = 0.05
TRIAL: Final = 100
_STAKES: Final = (0.1, 0.25, 0.5, 0.8)
_SURE: Final = 0.05
_MOST: Final = 700.0

Verdict = Literal["running", "worse", "kept"]


@dataclass(frozen=True, slots=True)
class Judged:
    """How an experiment stands: `stake` is what rule 2 speaks of, `p_worse` at most so likely the
    result came about by chance if the change were no worse."""

    verdict: Verdict
    runs: int
    succeeded: int
    stake: float

    @property
    def p_worse(self) -> float:
        """Bound on the chance of such a result if the change is no worse; 1 says nothing."""
        return min(1 / self.stake, 1.0) if self.stake > 0 else 1.0


def floor_of(runs: int, succeeded: int) -> float:
    """The rate that the base version's runs reach with 95 %; 0 where it never ran."""
    if not runs:
        return 0.0
    return Belief(0.5, 0.5).after(succeeded, runs - succeeded).quantile(_SURE)


def judge(floor: float, runs: int, succeeded: int) -> Judged:
    """How an experiment stands after so many runs of the changed version."""
    stake = stake_of(floor, succeeded, runs - succeeded)
    if stake >= 1 / ALPHA:
        return Judged("worse", runs, succeeded, stake)
    return Judged("kept" if runs >= TRIAL else "running", runs, succeeded, stake)


def stake_of(floor: float, succeeded: int, failed: int) -> float:
    """The stake of rule 2, averaged over all that are played."""
    if not 0 < floor < 1:
        return 1.0
    total = 0.0
    for share in _STAKES:
        bet = share / (1 - floor)
        grown = succeeded * log(1 - bet * (1 - floor)) + failed * log(1 + bet * floor)
        total += exp(min(grown, _MOST))
    return total / len(_STAKES)
