"""What is assumed of a command where no run of the template has shown it.

These are judgements, not measurements: rates in the order of what operators report of such work,
and wide. A rate weighs as much as `STRENGTH` attempts, so that a few dozen real ones outweigh it.
Durations are log-normal: `median_s` in the middle, and `spread` times as long for one in six.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

STRENGTH: Final = 8.0
"""A prior rate weighs as much as so many attempts."""

LOST_PER_HOUR: Final = 1 / (30 * 24)
"""An agent dies in the middle of its work once a month."""
LOST_FOUND_S: Final = 15.0
"""So long after its agent died a step is found to be lost: tasks are silent for that long first."""
ABSENT: Final = 0.002
"""An agent that lives now is gone when its step's turn comes, and does not come back in time."""
AGAIN: Final = 0.5
"""What failed once fails again when it is tried again: a fault is more often there to stay."""
FINAL: Final = 0.15
"""A failure is such that it makes no sense to try again."""
HOLDS: Final = 0.5
"""A condition over an output that is not known."""
INSTANCES: Final = 3.0
"""How many items a list has that is not known."""
APPROVAL_S: Final = (600.0, 4.0)
"""People answer a gate: median and spread."""
SIGNAL_S: Final = (60.0, 4.0)
"""What a step waits for happens: median and spread."""
VERDICT_S: Final = (900.0, 3.0)
"""A person says what became of a lost step (`on_lost: ask`): median and spread."""
DISPATCH_S: Final = 0.02
"""From the moment at which a step may start until an agent has begun it."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is assumed of one attempt."""

    failing: float
    median_s: float
    spread: float


BY_COMMAND: Final[Mapping[str, Prior]] = {
    "noop": Prior(0.0005, 0.005, 2.0),
    "wait": Prior(0.0005, 60.0, 2.0),
    "file": Prior(0.01, 0.05, 3.0),
    "http": Prior(0.03, 0.4, 3.0),
    "shell": Prior(0.05, 3.0, 4.0),
    "restore": Prior(0.02, 0.2, 3.0),
    "mcp": Prior(0.05, 2.0, 3.0),
    "recall": Prior(0.005, 0.05, 2.0),
    "remember": Prior(0.005, 0.05, 2.0),
    "hv-status": Prior(0.005, 0.05, 2.0),
    "hv-query": Prior(0.005, 0.05, 2.0),
    "hv-broadcast": Prior(0.01, 0.1, 3.0),
    "hv-delegate": Prior(0.1, 600.0, 4.0),
    "hv-sync": Prior(0.03, 2.0, 3.0),
}
OTHER: Final = Prior(0.05, 3.0, 4.0)
"""A command that is not listed, such as one of a third party."""
CALL: Final = Prior(0.1, 30.0, 4.0)
"""A sub-workflow of which nothing is known."""

_GRID: Final = tuple((index + 0.5) / 64 for index in range(64))
"""Levels at which a log-normal distribution is kept."""


def prior_of(command: str, parameters: Mapping[str, Any]) -> Prior:
    """The prior of a command; a wait lasts as long as it says."""
    prior = BY_COMMAND.get(command, OTHER)
    seconds = parameters.get("seconds")
    if command == "wait" and isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return Prior(prior.failing, max(float(seconds), 0.001), 1.0)
    return prior


def log_normal(median: float, spread: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Levels and values of a log-normal distribution, without its last percent at either side."""
    if spread <= 1.0:
        return (0.0, 1.0), (median, median)
    normal = NormalDist()
    return _GRID, tuple(median * spread ** normal.inv_cdf(level) for level in _GRID)
