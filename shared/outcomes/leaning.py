"""What is believed of a rate where few cases were seen: it leans on what is alike.

The model is a tree of rates. The rate of a node lies around the mean of its parent: it is drawn
from Beta(m*s, (1-m)*s) with a strength s for each level, so that what is known of the parent
weighs as much as s cases. The mean of a parent is learned from its other children:

1. A child that was seen n times counts w = n*s/(n+s) cases: its rate differs from the mean by
   nature, however often it was run. No child alone counts more than s.
2. A node is left out where its own parent is made: its cases count once.
3. How unsure the parent's mean is adds to how far the child may lie from it. So the weight of a
   parent shrinks where little is known of it, and never exceeds s.

It follows that one more failure of a node never raises what is believed of it, and that without
any case a node is believed to be as its parent. What is at the top is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from shared.outcomes.beta import Belief, belief

LevelKind = Literal["template", "category", "all", "step", "command", "commands", "assumed"]


@dataclass(frozen=True, slots=True)
class Pool:
    """Cases of several children, each counted as rule 1 says, and how many those are by plain
    count."""

    good: float = 0.0
    bad: float = 0.0
    runs: int = 0
    succeeded: int = 0

    def with_child(self, good: float, bad: float, runs: int, succeeded: int, s: float) -> Pool:
        """The pool with one more child."""
        n = good + bad
        share = s / (n + s)
        return Pool(
            self.good + good * share,
            self.bad + bad * share,
            self.runs + runs,
            self.succeeded + succeeded,
        )

    def without(self, other: Pool) -> Pool:
        """What is left without some of it."""
        return Pool(
            max(self.good - other.good, 0.0),
            max(self.bad - other.bad, 0.0),
            self.runs - other.runs,
            self.succeeded - other.succeeded,
        )


def leaning_on(parent: Belief, strength: float) -> Belief:
    """What is believed of a child before any case of its own."""
    mean = parent.mean
    between = mean * (1 - mean) / (strength + 1)
    total = parent.variance + between
    return belief(mean, max(mean * (1 - mean) / total - 1, 0.5) if total else strength)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the tree, as it is told: whose it is, the plain counts, and the share of the
    final belief that comes from here (of all levels these sum to 1)."""

    level: LevelKind
    name: str
    runs: int
    succeeded: int
    share: float


@dataclass(frozen=True, slots=True)
class Leaned:
    """What is believed of a node, and what it leans on, the nearest level first."""

    belief: Belief
    levels: tuple[Level, ...]


Above = tuple[LevelKind, str, Pool, float]
"""A level: its kind, its name, its cases, and the strength with which the next one leans on it."""


def lean(assumed: Belief, levels: Iterable[Above]) -> Leaned:
    """From the top to the node: each level's kind, name, cases, and the strength with which the
    level below leans on it (0: it is the node)."""
    now = assumed
    told = [Level("assumed", "", 0, 0, 1.0)]
    for kind, name, pool, strength in levels:
        now = now.after(pool.good, pool.bad)
        share = (pool.good + pool.bad) / now.weight
        told = [replace(one, share=one.share * (1 - share)) for one in told]
        told.append(Level(kind, name, pool.runs, pool.succeeded, share))
        if strength:
            now = leaning_on(now, strength)
    return Leaned(now, tuple(reversed(told)))
