"""What is known of earlier runs of a template, as a forecast asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

LEVELS: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
"""The levels at which quantiles are kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A distribution: the values `at` the `LEVELS`, of `count` that were seen."""

    count: int = 0
    at: tuple[float, ...] = ()


UNSEEN: Final = Seen()


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts at one step: how many ended with a known outcome, how many of those `failed`, and of
    those for good (`final`: not worth another try); how many were `lost`.

    `absent`: nobody could be found to run it.

    `again` counts the attempts that followed a failed one, `again_failed` those of them that failed
    too.
    """

    ended: int = 0
    failed: int = 0
    final: int = 0
    lost: int = 0
    absent: int = 0
    again: int = 0
    again_failed: int = 0
    durations_s: Seen = UNSEEN


@dataclass(frozen=True, slots=True)
class Share:
    """So many `times` it was to be decided, and so many of them it `held`."""

    times: int
    held: int


class Experience(Protocol):
    """What earlier runs of one template showed. `None` and empty: nothing is known."""

    @property
    def runs(self) -> int:
        """The earlier runs that this is drawn from."""
        ...

    def attempts(self, step: str, agent: str = "") -> Attempts | None:
        """The attempts at a step; with `agent` only those on that agent."""
        ...

    def condition(self, step: str) -> Share | None:
        """How often the step's condition held, of the times that it was its turn."""
        ...

    def rounds(self, step: str) -> Share | None:
        """How often the condition of the step's `until` held, of the rounds that it ran."""
        ...

    def instances(self, step: str) -> Seen:
        """How many instances the step's loop had."""
        ...

    def wait_s(self, name: str) -> Seen:
        """How long people took to answer the gate of this name, or the step of this name waited
        for something to happen, in seconds."""
        ...


class Nothing:
    """No earlier runs."""

    runs = 0

    def attempts(self, step: str, agent: str = "") -> Attempts | None:  # noqa: ARG002 - the port
        """Nothing is known."""
        return None

    def condition(self, step: str) -> Share | None:  # noqa: ARG002 - the port
        """Nothing is known."""
        return None

    def rounds(self, step: str) -> Share | None:  # noqa: ARG002 - the port
        """Nothing is known."""
        return None

    def instances(self, step: str) -> Seen:  # noqa: ARG002 - the port
        """Nothing is known."""
        return UNSEEN

    def wait_s(self, name: str) -> Seen:  # noqa: ARG002 - the port
        """Nothing is known."""
        return UNSEEN


def distribution(values: Sequence[float]) -> Seen:
    """The values at the `LEVELS`, linear between neighbours."""
    if not values:
        return UNSEEN
    ordered = sorted(values)
    last = len(ordered) - 1

    def at(level: float) -> float:
        place = level * last
        low = int(place)
        high = min(low + 1, last)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    return Seen(len(ordered), tuple(at(level) for level in LEVELS))


def share_within(seen: Seen, value: float) -> float:
    """The share of what was seen that is at most `value`, from 0 to 1."""
    if not seen.count or value < seen.at[0]:
        return 0.0
    for index in range(len(LEVELS) - 1, -1, -1):
        if value >= seen.at[index]:
            break
    if index + 1 == len(LEVELS):
        return 1.0
    low, high = seen.at[index], seen.at[index + 1]
    return LEVELS[index] + (LEVELS[index + 1] - LEVELS[index]) * (value - low) / (high - low)
