"""What the same commands did in other templates: leans a forecast where its template has few runs.

It stands between what is assumed of a command (`priors`) and what the template's own runs showed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.forecast.experience import LEVELS, UNSEEN, Seen
from shared.forecast.priors import Prior

ENOUGH: Final = 10
"""Attempts from which on a command's figures take the place of what is assumed."""
_NINTH: Final = 1.2815515655446004
"""Standard deviations of a normal distribution from the middle to nine tenths."""


@dataclass(frozen=True, slots=True)
class LearnedCommand:
    """What attempts with one command did, in all templates: `failing` is the share that fails,
    worth `weight` attempts; `again` of the tries after a failure, `again_failed` of them failed,
    too; `failed` failures, `final` of which were not worth another try."""

    attempts: int
    failing: float
    weight: float
    durations_s: Seen = UNSEEN
    again: float = 0.0
    again_failed: float = 0.0
    failed: float = 0.0
    final: float = 0.0

    @property
    def counts(self) -> bool:
        """True when enough is known to take the place of what is assumed."""
        return self.attempts >= ENOUGH

    def prior(self, assumed: Prior) -> Prior:
        """The prior that it makes; of durations only if enough were seen."""
        seen = self.durations_s
        if seen.count < ENOUGH:
            return Prior(self.failing, assumed.median_s, assumed.spread)
        middle, high = (max(seen.at[LEVELS.index(level)], 0.001) for level in (0.5, 0.9))
        return Prior(self.failing, middle, max(math.exp(math.log(high / middle) / _NINTH), 1.05))


Learned = Mapping[str, LearnedCommand]
"""By command."""
NOTHING_LEARNED: Final[Learned] = {}
