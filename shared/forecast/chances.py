"""How sure a predicted probability is.

Two things are uncertain: only so many runs were simulated, and the rates of the steps are known
from so many attempts only. So many possible worlds are drawn: in each the rate of every step comes
from its Beta distribution, and the chance to fail at the step, of the runs that get that far, moves
in proportion; what is left after all steps is the world's probability, and what so many runs show
of it is drawn from Beta(kp + 1, k(1-p) + 1). The middle 95 % of the worlds are the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from shared.contracts.forecasts import Chance
from shared.forecast.models import Rate

WORLDS: Final = 4_000
_TAILS: Final = (0.025, 0.975)
_LEAST: Final = 1e-9
_STREAM: Final = 0xC0FFEE
"""Keeps these draws apart from those of the runs."""


def chance_of(
    succeeded: int, runs: int, failing: Mapping[str, float], rates: Mapping[str, Rate], seed: int
) -> Chance:
    """`succeeded` of `runs` simulated runs; `failing` is the share of runs that fail at each step,
    in the order of the steps, and `rates` what is known of how often each fails."""
    generator = np.random.Generator(np.random.PCG64([seed, _STREAM]))
    reached = 1.0
    worlds = np.ones(WORLDS)
    for step, share in failing.items():
        chance = share / max(reached, _LEAST)
        reached -= share
        rate = rates.get(step)
        if rate is not None:
            drawn = generator.beta(rate.alpha, rate.beta, WORLDS)
            worlds *= 1 - np.minimum(chance * drawn / max(rate.mean, _LEAST), 1.0)
        else:
            worlds *= 1 - min(chance, 1.0)
    shown = generator.beta(runs * worlds + 1, runs * (1 - worlds) + 1)
    low, high = (float(value) for value in np.quantile(shown, _TAILS))
    probability = succeeded / runs
    return Chance(probability=probability, low=min(low, probability), high=max(high, probability))
