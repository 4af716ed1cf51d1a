"""How alike two workflows are, by what their steps run; 0 to 1.

A step is compared by its program and its fixed words. Steps are matched greedily whatever their
order: two workflows that do the same in another order are the same to who is asked about them.
"""

from __future__ import annotations

from collections.abc import Sequence

Step = tuple[str, ...]
"""The fixed words of a step, its program first."""
Signature = tuple[Step, ...]


def alike(one: Signature, other: Signature) -> float:
    """How alike two workflows are."""
    return 2 * _common(one, other) / max(1, len(one) + len(other))


def contained(one: Signature, other: Signature) -> float:
    """How much of a workflow is in another one."""
    return _common(one, other) / max(1, len(one))


def _common(one: Signature, other: Signature) -> float:
    """How many steps they have in common, with half steps for like ones."""
    pairs = sorted(
        ((_of_steps(a, b), i, j) for i, a in enumerate(one) for j, b in enumerate(other)),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    left, right, total = set(range(len(one))), set(range(len(other))), 0.0
    for value, i, j in pairs:
        if value and i in left and j in right:
            left.discard(i)
            right.discard(j)
            total += value
    return total


def _of_steps(one: Step, other: Step) -> float:
    first, second = _bare(one), _bare(other)
    if not first or not second or first[0] != second[0]:
        return 0.0
    words, others = set(first[1:]), set(second[1:])
    if not words and not others:
        return 1.0
    return 0.4 + 0.6 * len(words & others) / len(words | others)


def _bare(step: Step) -> Step:
    return step[1:] if step and step[0] in ("sudo", "doas") else step


def nearest(one: Signature, others: Sequence[Signature]) -> tuple[float, int]:
    """How alike the most alike of the others is, and which; (0, -1) where there is none."""
    return max(((alike(one, other), i) for i, other in enumerate(others)), default=(0.0, -1))
