"""What must come before what, from how steps were ordered in the runs of a workflow.

A step comes before another one if it did in most of the runs that have both, in the mean over the
users; where that varies
neither waits for the other. Relations are kept only along one overall order (by how many others a
step comes before, Copeland's method), so there is never a cycle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.mining.episodes import Slot, Workflow

FEWEST_RUNS: Final = 5
"""Runs with both steps from which their order can be said to vary."""


@dataclass(frozen=True, slots=True)
class Order:
    """The steps in an order in which they can run, and for each those it waits for directly."""

    slots: tuple[Slot, ...]
    after: Mapping[Slot, tuple[Slot, ...]]


def order_of(
    workflow: Workflow,
    whose: Sequence[str],
    ordered: float,
    bound: Collection[frozenset[Slot]] = (),
) -> Order:
    """The order of a workflow. `whose` says whose each run is, `ordered` is the share of runs from
    which on a step must come before another; of pairs in `bound` one always waits for the other."""
    slots = workflow.slots
    first = {(a, b): _share_before(workflow, whose, a, b) for a in slots for b in slots if a != b}
    wins = {a: sum(first[a, b][0] > 0.5 for b in slots if b != a) for a in slots}
    lead = {a: sum(first[a, b][0] for b in slots if b != a) for a in slots}
    ranked = tuple(sorted(slots, key=lambda a: (-wins[a], -lead[a], slots.index(a))))
    before: dict[Slot, set[Slot]] = {slot: set() for slot in ranked}
    for place, late in enumerate(ranked):
        for early in ranked[:place]:
            share, runs = first[early, late]
            if share >= ordered or runs < FEWEST_RUNS or frozenset((early, late)) in bound:
                before[late] |= {early} | before[early]
    return Order(ranked, {slot: _direct(slot, before, ranked) for slot in ranked})


def _share_before(workflow: Workflow, whose: Sequence[str], a: Slot, b: Slot) -> tuple[float, int]:
    """The share of runs with both in which `a` came before `b`, in the mean over the users, and how
    many runs have both."""
    before: dict[str, list[bool]] = defaultdict(list)
    for episode, user in zip(workflow.episodes, whose, strict=True):
        places = episode.places
        if a in places and b in places:
            before[user].append(places[a] < places[b])
    if not before:
        return 0.5, 0
    shares = [sum(one) / len(one) for one in before.values()]
    return sum(shares) / len(shares), sum(map(len, before.values()))


def _direct(
    slot: Slot, before: Mapping[Slot, set[Slot]], ranked: Sequence[Slot]
) -> tuple[Slot, ...]:
    """Those that a step waits for, without those that these wait for anyway."""
    implied = {one for early in before[slot] for one in before[early]}
    return tuple(one for one in ranked if one in before[slot] and one not in implied)
