"""How good predictions were: accuracy, mean reciprocal rank, calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

BINS = 15
"""Equal bins of the confidence, in which it is compared with how often it was right."""


class Outcome(NamedTuple):
    """One prediction.

    The place of what came (1 is first, 0 is nowhere) and the confidence of the first.
    """

    place: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of a sequence of predictions."""

    n: int
    acc1: float
    acc3: float
    acc5: float
    mrr: float
    ece: float


class Bin(NamedTuple):
    """Predictions of about the same confidence."""

    size: int
    confidence: float
    """Their mean confidence."""
    right: float
    """What part of them was right."""


def scores_of(outcomes: Sequence[Outcome]) -> Scores:
    """The figures of `outcomes`; all are 0 where there are none."""
    n = len(outcomes)
    if not n:
        return Scores(0, 0, 0, 0, 0, 0)
    acc1, acc3, acc5 = (sum(1 <= o.place <= k for o in outcomes) / n for k in (1, 3, 5))
    mrr = sum(1 / o.place for o in outcomes if o.place) / n
    gaps = (each.size * abs(each.confidence - each.right) for each in bins_of(outcomes))
    return Scores(n, acc1, acc3, acc5, mrr, sum(gaps) / n)


def bins_of(outcomes: Sequence[Outcome]) -> list[Bin]:
    """The bins that are not empty, by rising confidence."""
    grouped: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        grouped.setdefault(min(int(outcome.confidence * BINS), BINS - 1), []).append(outcome)
    return [_bin(grouped[number]) for number in sorted(grouped)]


def _bin(outcomes: list[Outcome]) -> Bin:
    n = len(outcomes)
    sure = sum(o.confidence for o in outcomes) / n
    return Bin(n, sure, sum(o.place == 1 for o in outcomes) / n)
