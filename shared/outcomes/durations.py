"""Durations in bins of equal relative width, so that any number of them fits a few hundred counts.

The law:

* A duration of `ms` lies in the bin `ceil(log_g(ms))` with `g = (1 + e) / (1 - e)`, and a bin
  answers with the middle that is at most the share `e` (1 percent) from all that lies in it
  (DDSketch: Masson, Rim and Lee, VLDB 2019). What is 1 ms or less lies in bin 0.
* A sketch is nothing but whole numbers, so merging is associative and commutative, and a sketch
  that was merged equals the one that saw everything, bit for bit, in whichever order.
* No bins are ever joined: from 1 ms to ten years there are 1,325 of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

ERROR: Final = 0.01
"""Greatest relative error of a quantile."""
_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA: Final = math.log(_GAMMA)
LONGEST_MS: Final = 10 * 366 * 86_400_000
"""What is longer counts as this."""


def bin_of(ms: int) -> int:
    """The bin of a duration, from 0."""
    return math.ceil(math.log(ms) / _LOG_GAMMA) if ms > 1 else 0


def middle_of(number: int) -> float:
    """What a bin answers with, in milliseconds."""
    return 2 * _GAMMA**number / (_GAMMA + 1) if number else 1.0


@dataclass(slots=True)
class DurationSketch:
    """How often durations lay in each bin; `least_ms` and `most_ms` are exact, 0 where none is."""

    bins: dict[int, int] = field(default_factory=dict)
    count: int = 0
    total_ms: int = 0
    least_ms: int = 0
    most_ms: int = 0

    @classmethod
    def of(cls, durations: Iterable[int]) -> Self:
        """A sketch of these milliseconds."""
        made = cls()
        for ms in durations:
            made.add(ms)
        return made

    def add(self, ms: int) -> None:
        """Count one. What is below 0 (clocks that differ) counts as 0."""
        ms = min(max(ms, 0), LONGEST_MS)
        number = bin_of(ms)
        self.bins[number] = self.bins.get(number, 0) + 1
        self.least_ms = min(self.least_ms, ms) if self.count else ms
        self.most_ms = max(self.most_ms, ms)
        self.count += 1
        self.total_ms += ms

    def merge(self, other: DurationSketch) -> None:
        """Count all of another one, too."""
        if not other.count:
            return
        for number, times in other.bins.items():
            self.bins[number] = self.bins.get(number, 0) + times
        self.least_ms = min(self.least_ms, other.least_ms) if self.count else other.least_ms
        self.most_ms = max(self.most_ms, other.most_ms)
        self.count += other.count
        self.total_ms += other.total_ms

    def quantile(self, share: float) -> float | None:
        """The duration that this share of all does not exceed, within `ERROR`; None without any.
        A share of 0 is the least, 1 the most."""
        if not self.count:
            return None
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1; found {share}")
        rank = math.ceil(share * self.count)
        seen = 0
        for number in sorted(self.bins):
            seen += self.bins[number]
            if seen >= rank:
                return min(max(middle_of(number), self.least_ms), self.most_ms)
        return float(self.most_ms)

    def mean_ms(self) -> float | None:
        """The mean, exactly; None without any."""
        return self.total_ms / self.count if self.count else None

    def save(self) -> list[Any]:
        """Plain numbers, the same for equal sketches."""
        pairs = [number for pair in sorted(self.bins.items()) for number in pair]
        return [self.total_ms, self.least_ms, self.most_ms, pairs]

    @classmethod
    def load(cls, saved: list[Any]) -> Self:
        """What `save` gave."""
        total, least, most, pairs = saved
        bins = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return cls(bins, sum(bins.values()), total, least, most)

    def text(self) -> str:
        """The same numbers as text, which is skipped quickly where it is not needed."""
        pairs = (number for pair in sorted(self.bins.items()) for number in pair)
        return " ".join(map(str, (self.total_ms, self.least_ms, self.most_ms, *pairs)))

    def merge_text(self, text: str) -> None:
        """Count all of another one, too, of which this is the text. Raises ValueError."""
        total, least, most, *pairs = map(int, text.split())
        bins = self.bins
        count = 0
        for number, times in zip(pairs[::2], pairs[1::2], strict=True):
            bins[number] = bins.get(number, 0) + times
            count += times
        self.least_ms = min(self.least_ms, least) if self.count else least
        self.most_ms = max(self.most_ms, most)
        self.count += count
        self.total_ms += total
