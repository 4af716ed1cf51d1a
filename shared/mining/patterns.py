"""Frequent sequential patterns, gaps allowed: prefix growth over projected positions.

PrefixSpan (Pei et al. 2001) with a bound on the gap between neighbours, so that a pattern is held
with the positions at which it ends, not with suffixes alone. The most frequent prefixes are grown
first, so where a bound ends the search, what is left out is the least frequent. Keys that are in
too few stretches are taken out beforehand: they neither match nor count as a gap.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shared.mining.options import MiningOptions

Keys = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sequence of keys. `ends` and `starts` hold, by stretch, at how many positions it ends and
    begins; the stretches are its support."""

    keys: Keys
    ends: dict[int, int]
    starts: dict[int, int]

    @property
    def support(self) -> int:
        """Stretches that hold it."""
        return len(self.ends)


@dataclass(slots=True)
class Found:
    """Frequent patterns, and whether a bound ended the search."""

    patterns: dict[Keys, Pattern]
    cut_short: bool = False


_Places = dict[int, dict[int, int]]
"""By stretch, the positions at which a prefix ends, each with the latest at which it began."""


def frequent(sequences: Sequence[Sequence[int]], support: int, options: MiningOptions) -> Found:
    """The patterns in at least `support` of the sequences (which hold frequent keys only)."""
    found: dict[Keys, Pattern] = {}
    heap: list[tuple[int, Keys, _Places]] = []
    visits = 0
    for key, places in sorted(_singles(sequences).items()):
        if len(places) >= support:
            _keep(found, heap, (key,), places)
    while heap:
        _, keys, places = heapq.heappop(heap)
        if len(found) >= options.most_patterns or visits > options.most_visits:
            return Found(found, cut_short=True)
        if len(keys) >= options.most_length:
            continue
        grown: dict[int, _Places] = defaultdict(dict)
        for index, ends in places.items():
            visits += _extend(sequences[index], index, ends, options.gap, grown)
        for key, after in sorted(grown.items()):
            if len(after) >= support and not _goes_round((*keys, key)):
                _keep(found, heap, (*keys, key), after)
    return Found(found)


def _singles(sequences: Sequence[Sequence[int]]) -> dict[int, _Places]:
    places: dict[int, _Places] = defaultdict(dict)
    for index, sequence in enumerate(sequences):
        for at, key in enumerate(sequence):
            places[key].setdefault(index, {})[at] = at
    return places


def _extend(
    sequence: Sequence[int], index: int, ends: dict[int, int], gap: int, grown: dict[int, _Places]
) -> int:
    """Add what follows the ends within the gap; gives how many positions were looked at."""
    visits = 0
    for end, start in ends.items():
        upto = min(len(sequence), end + gap + 2)
        visits += upto - end
        for at in range(end + 1, upto):
            places = grown[sequence[at]].setdefault(index, {})
            if places.get(at, -1) < start:
                places[at] = start
    return visits


def _keep(
    found: dict[Keys, Pattern], heap: list[tuple[int, Keys, _Places]], keys: Keys, places: _Places
) -> None:
    ends = {index: len(at) for index, at in places.items()}
    starts = {index: len(set(at.values())) for index, at in places.items()}
    found[keys] = Pattern(keys, ends, starts)
    heapq.heappush(heap, (-len(ends), keys, places))


def _goes_round(keys: Keys) -> bool:
    """Whether a sequence ends with the same twice (`edit, run, edit, run`): that is a loop, and not
    a longer workflow; or has one key more than twice."""
    half = len(keys) // 2
    if keys.count(keys[-1]) > 2:
        return True
    return any(keys[-n:] == keys[-2 * n : -n] for n in range(1, half + 1))
