"""In which order deeds are undone: the reverse of the one in which they were done.

Deeds are ordered by group: all instances of one step together. The law:

* What depended on something is undone before it, whatever clocks say of when they were.
* What began after something had ended is undone before it, too, though it did not depend on it:
  both may have touched the same thing.
* What went on at the same time is undone at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import zip_longest
from typing import Final

from shared.rollback.past import Deed
from shared.workflow.program import Program

_FOREVER: Final = 2**63


@dataclass(frozen=True, slots=True)
class Order:
    """For each group those whose undoing comes right before its own (`after`), and those of them
    and of others on whose undoing it depends (`needs`): it is not begun if one of these failed.
    `rounds` counts from 1."""

    after: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, tuple[str, ...]]
    rounds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    first: Deed
    began_ms: int
    ended_ms: int


def order_of(groups: Mapping[str, Sequence[Deed]]) -> Order:
    """The order in which groups of deeds are undone."""
    sorted_groups = _sorted([_group(name, members) for name, members in groups.items()])
    graph = Dependencies([group.first for group in sorted_groups])
    after = _reduced(sorted_groups, graph, by_time=True)
    needs = _reduced(sorted_groups, graph, by_time=False)
    rounds: dict[str, int] = {}
    for group in reversed(sorted_groups):
        before = (rounds[name] for name in after[group.name])
        rounds[group.name] = 1 + max(before, default=0)
    return Order(after, needs, rounds)


def depends(later: Deed, earlier: Deed) -> bool:
    """True when the one deed came after the other by the graph of the program that has both."""
    for mine, other in zip_longest(later.units, earlier.units):
        if mine is None or other is None or mine[0] is not other[0]:
            return False
        if mine[1] != other[1]:
            return other[1] in mine[0].graph.ancestors[mine[1]]
    return False


def _group(name: str, members: Sequence[Deed]) -> _Group:
    ended_ms = max(one.ended_ms or _FOREVER for one in members)
    return _Group(name, members[0], min(one.began_ms for one in members), ended_ms)


def _sorted(groups: list[_Group]) -> list[_Group]:
    """By the time at which they began, what depends on another one behind it in any case: clocks
    of different servers, and of one that was set anew, may tell it otherwise."""
    by_time = sorted(groups, key=lambda one: (one.began_ms, _position(one.first)))
    graph = Dependencies([one.first for one in by_time])
    waits = [graph.earlier(index) for index in range(len(by_time))]
    # Each waits for one at a time, the last by time: that is mostly the last to be placed, too.
    waiting: dict[int, list[int]] = {}
    ready = [index for index, others in enumerate(waits) if not others]
    for index, others in enumerate(waits):
        if others:
            waiting.setdefault(others.bit_length() - 1, []).append(index)
    placed: list[_Group] = []
    missing = (1 << len(by_time)) - 1
    while ready:
        index = heappop(ready)
        placed.append(by_time[index])
        missing ^= 1 << index
        for later in waiting.pop(index, ()):
            others = waits[later] & missing
            if others:
                waiting.setdefault(others.bit_length() - 1, []).append(later)
            else:
                heappush(ready, later)
    return placed


def _position(deed: Deed) -> tuple[int, ...]:
    return tuple(program.graph.order.index(name) for program, name in deed.units)


def _reduced(
    groups: list[_Group], graph: Dependencies, *, by_time: bool
) -> dict[str, tuple[str, ...]]:
    """For each group the later ones that come right after it."""
    began_after = _began_after(groups) if by_time else [0] * len(groups)
    reach: list[int] = [0] * len(groups)
    found: dict[str, tuple[str, ...]] = {}
    for index in range(len(groups) - 1, -1, -1):
        covered, direct = 0, []
        rest = (graph.later(index) | began_after[index]) >> (index + 1) << (index + 1)
        while rest:
            later = (rest & -rest).bit_length() - 1
            direct.append(groups[later].name)
            covered |= reach[later] | 1 << later
            rest &= ~covered
        reach[index] = covered
        found[groups[index].name] = tuple(direct)
    return found


def _began_after(groups: list[_Group]) -> list[int]:
    """For each group those that began when it had ended, as bits."""
    began = sorted(range(len(groups)), key=lambda index: groups[index].began_ms)
    found, bits = [0] * len(groups), 0
    for index in sorted(range(len(groups)), key=lambda one: groups[one].ended_ms, reverse=True):
        while began and groups[began[-1]].began_ms >= groups[index].ended_ms:
            bits |= 1 << began.pop()
        found[index] = bits
    return found


class Dependencies:
    """Which of many deeds depend on which, as bits, by their places in a list: `depends` for all
    pairs at once.

    A tree of the calls, and in each the steps that have deeds, each with the bits of all below it:
    what is known of two steps of one program holds for all deeds below them.
    """

    def __init__(self, found: Sequence[Deed]) -> None:
        self._found = found
        self._calls: dict[_Call, dict[str, int]] = {}
        for place, deed in enumerate(found):
            for call, name in _calls(deed):
                steps = self._calls.setdefault(call, {})
                steps[name] = steps.get(name, 0) | 1 << place
        self._earlier: dict[tuple[_Call, str], int] = {}
        self._later: dict[tuple[_Call, str], int] = {}
        for call, steps in self._calls.items():
            ancestors = call.program.graph.ancestors
            for name, bits in steps.items():
                for other in ancestors[name] & steps.keys():
                    key = call, other
                    self._later[key] = self._later.get(key, 0) | bits
                    mine = call, name
                    self._earlier[mine] = self._earlier.get(mine, 0) | steps[other]

    def earlier(self, place: int) -> int:
        """Those on which it depends."""
        return self._of(self._earlier, place)

    def later(self, place: int) -> int:
        """Those that depend on it."""
        return self._of(self._later, place)

    def _of(self, known: Mapping[tuple[_Call, str], int], place: int) -> int:
        bits = 0
        for key in _calls(self._found[place]):
            bits |= known.get(key, 0)
        return bits


@dataclass(frozen=True, slots=True)
class _Call:
    """The steps of `program` as called by the steps `above`; programs are told apart as objects."""

    above: tuple[tuple[int, str], ...]
    number: int
    program: Program = field(compare=False)


def _calls(deed: Deed) -> Iterator[tuple[_Call, str]]:
    """The steps on the way to a deed, from above, each in its call."""
    above: tuple[tuple[int, str], ...] = ()
    for program, name in deed.units:
        yield _Call(above, id(program), program), name
        above = (*above, (id(program), name))
