"""Counts that fade: how often something went well and badly, the old counting less.

The law:

1. A case counts 1 at its time, and half as much each `HALF_LIFE_MS` later. A case that comes late
   counts as what it is worth by then.
2. All cases together never count more than `CAP`: what is run often is judged by its latest runs.
3. `runs` and `succeeded` are the plain counts, which are what people are told.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

HALF_LIFE_MS: Final = 45 * 86_400_000
CAP: Final = 400.0


def faded(age_ms: int) -> float:
    """What is left of a case after so many milliseconds; 1 where it is not over."""
    return float(2.0 ** (-age_ms / HALF_LIFE_MS)) if age_ms > 0 else 1.0


@dataclass(slots=True)
class Tally:
    """Cases that went well and badly."""

    good: float = 0.0
    bad: float = 0.0
    at_ms: int = 0
    runs: int = 0
    succeeded: int = 0

    def add(self, went_well: bool, at_ms: int) -> None:
        """Count one more case."""
        self._move_to(at_ms)
        worth = faded(self.at_ms - at_ms)
        self.good += worth * went_well
        self.bad += worth * (not went_well)
        over = (self.good + self.bad) / CAP
        if over > 1:
            self.good, self.bad = self.good / over, self.bad / over
        self.runs += 1
        self.succeeded += went_well

    def at(self, now_ms: int) -> tuple[float, float]:
        """What went well and badly, as it counts at a time."""
        left = faded(now_ms - self.at_ms)
        return self.good * left, self.bad * left

    def _move_to(self, at_ms: int) -> None:
        if at_ms > self.at_ms:
            if self.at_ms:
                self.good, self.bad = self.at(at_ms)
            self.at_ms = at_ms

    def state(self) -> list[float]:
        """As plain data."""
        return [self.good, self.bad, self.at_ms, self.runs, self.succeeded]

    @classmethod
    def restored(cls, state: list[Any]) -> Tally:
        """From what `state` gave."""
        return cls(*state)


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def make_room(kept: dict[K, V], limit: int, rank: Callable[[V], Any]) -> tuple[K, ...]:
    """When there are more than `limit`, remove a tenth of them, those of the lowest rank; of equal
    ones the first that came. Gives what was removed."""
    if len(kept) <= limit:
        return ()
    order = sorted(kept, key=lambda key: rank(kept[key]))
    gone = tuple(order[: len(kept) - limit + limit // 10])
    for key in gone:
        del kept[key]
    return gone
