"""Where a workflow was run, and what else belongs to it.

A pattern is a thread through the runs of a workflow: with steps left out here and there, or in
another order, none of its patterns holds all. So a pattern is grown: where it was run, whole or
nearly, what else was run around it, in most of the runs and more often than chance would have it?
That joins, until nothing does any more.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.mining.chance import binomial_tail
from shared.mining.options import MiningOptions
from shared.mining.patterns import Keys

WHOLE: Final = 0.6
"""Share of the steps that a run has at least."""
BELONGS: Final = -4.0
"""log10 of the p-value below which a command belongs to the runs it is found around."""

Slot = tuple[int, int]
"""A step: its key, and the how manieth of that key it is, from 0."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A run of a workflow by hand: in which stretch, and the place of each of its steps there."""

    stretch: int
    places: Mapping[Slot, int]


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps that were run together, and where."""

    slots: tuple[Slot, ...]
    episodes: tuple[Episode, ...]

    @property
    def stretches(self) -> frozenset[int]:
        """Those in which it was run."""
        return frozenset(one.stretch for one in self.episodes)


class Grower:
    """Grows patterns over the sequences of all stretches."""

    def __init__(self, sequences: Sequence[Sequence[int]], options: MiningOptions) -> None:
        self._sequences = sequences
        self._options = options
        self._reach = options.gap + 1
        self._holds: dict[int, set[int]] = defaultdict(set)
        counts: Counter[int] = Counter()
        for index, sequence in enumerate(sequences):
            counts.update(sequence)
            for key in sequence:
                self._holds[key].add(index)
        total = max(1, sum(counts.values()))
        self._share = {key: count / total for key, count in counts.items()}

    def grown(self, seed: Keys) -> Workflow:
        """The workflow that a pattern is a thread of. Its runs have most of the pattern, so what is
        common elsewhere does not lead away from it."""
        wanted = list(seed)
        slots = frozenset(_slots(seed))
        held = math.ceil(WHOLE * len(seed))
        episodes = self.episodes(wanted)
        while len(wanted) < self._options.most_steps:
            joining = self._joining(wanted, episodes)
            if joining is None:
                break
            more = [
                one
                for one in self.episodes([*wanted, joining])
                if len(slots & one.places.keys()) >= held
            ]
            if len({e.stretch for e in more}) < 0.7 * len({e.stretch for e in episodes}):
                break
            wanted, episodes = [*wanted, joining], more
        return self._pruned(wanted, episodes)

    def episodes(self, wanted: Sequence[int]) -> list[Episode]:
        """Where so many of these keys stand together that it is a run of them."""
        counts = Counter(wanted)
        least = max(2, math.ceil(WHOLE * len(wanted)))
        rank = {key: place for place, key in reversed(list(enumerate(wanted)))}
        near: Counter[int] = Counter()
        for key in counts:
            near.update(self._holds[key])
        fewest = max(1, least - (len(wanted) - len(counts)))
        found = []
        for index in sorted(i for i, many in near.items() if many >= fewest):
            for places in self._runs(self._sequences[index], counts, rank):
                if len(places) >= least:
                    found.append(Episode(index, places))
        return found

    def _runs(
        self, sequence: Sequence[int], counts: Counter[int], rank: Mapping[int, int]
    ) -> Iterator[dict[Slot, int]]:
        places: dict[Slot, int] = {}
        have: Counter[int] = Counter()
        last = -1
        many = sum(counts.values())
        for at, key in enumerate(sequence):
            if key not in counts:
                continue
            full = have[key] >= counts[key]
            if full and len(places) >= many / 2 and rank[key] >= many / 2:
                continue  # once more, late in the run: what came first counts
            if places and (full or at - last > self._reach):
                yield places
                places, have = {}, Counter()
            places[key, have[key]] = at
            have[key] += 1
            last = at
        if places:
            yield places

    def _joining(self, wanted: Sequence[int], episodes: Sequence[Episode]) -> int | None:
        """The key that belongs to the runs most, if one does."""
        counts = Counter(wanted)
        present: Counter[int] = Counter()
        room = 0
        for episode in episodes:
            sequence = self._sequences[episode.stretch]
            low = max(0, min(episode.places.values()) - self._reach)
            high = min(len(sequence), max(episode.places.values()) + self._reach + 1)
            around = Counter(sequence[low:high])
            room += high - low - len(episode.places)
            present.update(key for key, many in around.items() if many > counts[key])
        many = len(episodes)
        if not many:
            return None
        for key, count in sorted(present.items(), key=lambda one: (-one[1], one[0])):
            if count < self._options.presence * many:
                return None
            if counts[key] >= 2:
                continue
            expected = many * (1 - (1 - self._share[key]) ** (room / many))
            if binomial_tail(count, many, expected) <= BELONGS:
                return key
        return None

    def _pruned(self, wanted: list[int], episodes: Sequence[Episode]) -> Workflow:
        """Without the steps that are in too few runs."""
        counts: Counter[Slot] = Counter()
        for episode in episodes:
            counts.update(episode.places.keys())
        least = self._options.presence * len(episodes)
        slots = tuple(slot for slot in _slots(wanted) if counts[slot] >= least)
        return Workflow(slots, tuple(_within(slots, episodes)))


def _slots(wanted: Iterable[int]) -> Iterator[Slot]:
    have: Counter[int] = Counter()
    for key in wanted:
        yield key, have[key]
        have[key] += 1


def _within(slots: Sequence[Slot], episodes: Iterable[Episode]) -> Iterator[Episode]:
    for episode in episodes:
        places = {slot: at for slot, at in episode.places.items() if slot in slots}
        if len(places) >= max(2, math.ceil(WHOLE * len(slots))):
            yield Episode(episode.stretch, places)
