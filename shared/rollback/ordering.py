"""In which order deeds are undone: the reverse of the one in which they were done.

Deeds are ordered by group: all instances of one step together. The law:

* What depended on something is undone before it, whatever clocks say of when they were.
* What began after something had ended is undone before it, too, though it did not depend on it:
  both may have touched the same thing.
* What went on at the same time is undone at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import zip_longest
from typing import Final

from shared.rollback.past import Deed

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
    after = _reduced(sorted_groups, by_time=True)
    needs = _reduced(sorted_groups, by_time=False)
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
    later: dict[int, list[int]] = {index: [] for index in range(len(by_time))}
    missing = [0] * len(by_time)
    for index, one in enumerate(by_time):
        for other, earlier in enumerate(by_time):
            if index != other and depends(one.first, earlier.first):
                later[other].append(index)
                missing[index] += 1
    ready = [index for index, count in enumerate(missing) if count == 0]
    placed: list[_Group] = []
    while ready:
        index = heappop(ready)
        placed.append(by_time[index])
        for after in later[index]:
            missing[after] -= 1
            if missing[after] == 0:
                heappush(ready, after)
    return placed


def _position(deed: Deed) -> tuple[int, ...]:
    return tuple(program.graph.order.index(name) for program, name in deed.units)


def _reduced(groups: list[_Group], *, by_time: bool) -> dict[str, tuple[str, ...]]:
    """For each group the later ones that come right after it."""
    reach: list[int] = [0] * len(groups)
    found: dict[str, tuple[str, ...]] = {}
    for index in range(len(groups) - 1, -1, -1):
        group, covered, direct = groups[index], 0, []
        for later in range(index + 1, len(groups)):
            if covered >> later & 1 or not _comes_after(groups[later], group, by_time=by_time):
                continue
            direct.append(groups[later].name)
            covered |= reach[later] | 1 << later
        reach[index] = covered
        found[group.name] = tuple(direct)
    return found


def _comes_after(later: _Group, earlier: _Group, *, by_time: bool) -> bool:
    if depends(later.first, earlier.first):
        return True
    return by_time and earlier.ended_ms <= later.began_ms
