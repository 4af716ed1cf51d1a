"""How many times as high the odds of failure are on an agent as on others, at the same steps.

Each attempt is held against how likely that step was to fail on any agent. Attempts are counted by
that likelihood, in bins of its log-odds; from these the agent's factor follows as the log-odds that
explain the failures best, drawn towards 0 (no difference) as by a normal distribution of the
deviation `SPREAD`: the posterior's mode, by Newton's method, and its curvature there.

A factor of the odds, not of the failures: what fails half of the time cannot fail three times as
often, but may with three times the odds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp, log
from typing import Any, Final

from shared.outcomes.tally import faded

SPREAD: Final = 0.5
"""Nineteen of twenty agents have between a third and three times the odds, as far as nothing is
known."""
STEPS: Final = 30
"""Of Newton's method; a handful is enough."""
_LEAST, _MOST = -6, 3


@dataclass(slots=True)
class AgentCounts:
    """Attempts on an agent by the log-odds of failure that were expected, rounded: so many, those
    that failed, and the sum of what was expected; fading. `attempts` and `failed` are plain
    counts."""

    bins: dict[int, list[float]] = field(default_factory=dict)
    attempts: int = 0
    failed: int = 0
    at_ms: int = 0

    def add(self, failed: bool, expected: float, at_ms: int) -> None:
        """Count one attempt that was expected to fail with this likelihood."""
        if at_ms > self.at_ms:
            left = faded(at_ms - self.at_ms) if self.at_ms else 1.0
            self.bins = {at: [one * left for one in some] for at, some in self.bins.items()}
            self.at_ms = at_ms
        worth = faded(self.at_ms - at_ms)
        at = min(max(round(_log_odds(expected)), _LEAST), _MOST)
        counted = self.bins.setdefault(at, [0.0, 0.0, 0.0])
        for place, more in enumerate((1.0, float(failed), expected)):
            counted[place] += worth * more
        self.attempts += 1
        self.failed += failed

    def state(self) -> list[Any]:
        """As plain data."""
        bins = [[at, *some] for at, some in self.bins.items()]
        return [bins, self.attempts, self.failed, self.at_ms]

    @classmethod
    def restored(cls, state: list[Any]) -> AgentCounts:
        """From what `state` gave."""
        bins, *rest = state
        return cls({at: list(some) for at, *some in bins}, *rest)


@dataclass(frozen=True, slots=True)
class Factor:
    """The logarithm of an agent's factor, and its standard deviation."""

    log: float = 0.0
    deviation: float = SPREAD

    @property
    def odds(self) -> float:
        """How many times as high the odds of failure are."""
        return exp(self.log)


def factor_of(counts: AgentCounts | None) -> Factor:
    """An agent's factor by what was seen; 1 where nothing speaks against that."""
    if counts is None or not counts.bins:
        return Factor()
    found = [(n, failed, _log_odds(expected / n)) for n, failed, expected in counts.bins.values()]
    at, curve = 0.0, 1 / SPREAD**2
    for _ in range(STEPS):
        slope, curve = _slope(found, at)
        step = max(min(slope / curve, 1.0), -1.0)
        at += step
        if abs(step) < 1e-9:
            break
    return Factor(at, curve**-0.5)


def _slope(found: Iterable[tuple[float, float, float]], at: float) -> tuple[float, float]:
    """Of the log-posterior: its slope, and how much it curves downwards."""
    slope, curve = -at / SPREAD**2, 1 / SPREAD**2
    for n, failed, base in found:
        likely = 1 / (1 + exp(-base - at))
        slope += failed - n * likely
        curve += n * likely * (1 - likely)
    return slope, curve


def _log_odds(likely: float) -> float:
    inside = min(max(likely, 1e-3), 1 - 1e-3)
    return log(inside / (1 - inside))
