"""How good answers to labelled texts are.

The law, for texts with one label each, where "nothing fits" is a label like the others:

* `acc1` is the share of right answers; `macro` the mean over the labels of the share of each that
  was found, so that a frequent label does not hide a rare one.
* `ece` is the expected calibration error (Naeini, Cooper & Hauskrecht 2015): confidences in 15
  equal bins, and the mean distance of a bin's confidence from its share of right answers.
* Of "nothing fits": precision is the share of such answers that were right, recall the share of
  such texts that were answered so. Where there are none, there is no such figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

BINS: Final = 15


@dataclass(frozen=True)
class Judged:
    """One answer beside what would have been right; `None` is nothing."""

    label: str | None
    answer: str | None
    confidence: float


@dataclass(frozen=True)
class Scores:
    """How good answers were."""

    n: int
    acc1: float
    macro: float
    ece: float
    nothing_precision: float | None
    nothing_recall: float | None


def scores_of(judged: Sequence[Judged]) -> Scores:
    """The figures of at least one answer; raises `ValueError` if there is none."""
    if not judged:
        raise ValueError("there is nothing to judge")
    right = [one.answer == one.label for one in judged]
    asked = Counter(one.label for one in judged)
    found = Counter(one.label for one, ok in zip(judged, right, strict=True) if ok)
    said = sum(one.answer is None for one in judged)
    return Scores(
        n=len(judged),
        acc1=sum(right) / len(judged),
        macro=sum(found[label] / count for label, count in asked.items()) / len(asked),
        ece=calibration_error([one.confidence for one in judged], right),
        nothing_precision=found[None] / said if said else None,
        nothing_recall=found[None] / asked[None] if asked[None] else None,
    )


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The expected calibration error of confidences between 0 and 1."""
    sure = np.asarray(confidences, dtype=np.float64)
    hits = np.asarray(right, dtype=np.float64)
    bins = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = [abs(float((sure - hits)[bins == index].sum())) for index in range(BINS)]
    return sum(gaps) / max(len(sure), 1)
