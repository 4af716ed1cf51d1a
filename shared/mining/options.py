"""How mining is set: bounds and thresholds, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MiningOptions:
    """Bounds of the work, and how much evidence a proposal needs."""

    most_commands: int = 100_000
    """Commands that are looked at, the newest; older ones are left out."""
    min_sessions: int = 4
    """Stretches of work in which a pattern must have been."""
    share_of_sessions: float = 0.002
    """The same as a share of all, where that is more."""
    shared_after_users: int = 2
    """Users who must have used a text before others see it."""
    gap: int = 3
    """Other commands that may stand between two of a pattern."""
    most_length: int = 8
    """Commands of a pattern; workflows that grow from it may have more."""
    most_steps: int = 12
    """Steps of a proposal."""
    most_patterns: int = 20_000
    """Patterns that are kept while searching; the most frequent are searched first."""
    most_visits: int = 6_000_000
    """Positions that the search may look at."""
    significance: float = 0.01
    """Share of false patterns that is accepted among those called significant."""
    presence: float = 0.5
    """Share of the runs of a workflow in which a step must have been."""
    ordered: float = 0.75
    """Share of runs in which one step came before another so that it must."""
    most_proposals: int = 50
    """Proposals that are given, the best."""
    alike: float = 0.7
    """From this likeness on (0 to 1) two workflows are the same to a person."""
