"""How well proposals find planted workflows.

A step of a proposal is right if it runs the program of a planted step with the same fixed words. A
proposal finds a workflow if their steps agree to at least `FOUND` (F1); each is found once, by the
proposal that agrees most. Precision is the share of proposals that find one, recall the
share of workflows that are found.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.mining.planted import Planted
from shared.mining.proposals import Proposal
from shared.mining.splitting import tokens_of

FOUND: Final = 0.7
_PLACE: Final = re.compile(r"\{(\w+)\}")
_NAME: Final = re.compile(r"<\w+>")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of one corpus. `steps` is the mean F1 of the steps of what was found, `parameters`
    the share of found workflows with exactly as many parameters as were planted, `order` the share
    of planted pairs of steps whose order (or freedom) is right."""

    planted: int
    proposals: int
    found: int
    precision: float
    recall: float
    steps: float
    parameters: float
    order: float


def judged(proposals: Sequence[Proposal], planted: Sequence[Planted]) -> Judgement:
    """The figures of proposals against what was planted."""
    pairs = sorted(
        ((agreement(one, other), i, j) for i, one in enumerate(proposals)
         for j, other in enumerate(planted)),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )  # fmt: skip
    matched: dict[int, tuple[int, float]] = {}
    used: set[int] = set()
    for value, i, j in pairs:
        if value >= FOUND and j not in matched and i not in used:
            matched[j] = i, value
            used.add(i)
    found = [(proposals[i], planted[j], value) for j, (i, value) in matched.items()]
    many = max(1, len(found))
    return Judgement(
        planted=len(planted),
        proposals=len(proposals),
        found=len(found),
        precision=len(found) / len(proposals) if proposals else 1.0,
        recall=len(found) / len(planted) if planted else 1.0,
        steps=sum(value for _, _, value in found) / many,
        parameters=sum(_same_parameters(one, other) for one, other, _ in found) / many,
        order=sum(_order(one, other) for one, other, _ in found) / many,
    )


def agreement(proposal: Proposal, planted: Planted) -> float:
    """F1 of the steps."""
    matched = _matched(proposal, planted)
    return 2 * len(matched) / (len(proposal.steps) + len(planted.lines))


def _matched(proposal: Proposal, planted: Planted) -> dict[int, int]:
    """By planted step, the step of the proposal that is it."""
    left = dict(enumerate(map(_words, proposal.steps)))
    matched = {}
    for number, line in enumerate(planted.lines):
        wanted = _words(line)
        at = next((i for i, words in left.items() if words == wanted), None)
        if at is not None:
            matched[number] = at
            del left[at]
    return matched


def _words(line: str) -> tuple[str, ...]:
    """The words of a line that are said: without places and options, up to the first of those."""
    tokens = tokens_of(_NAME.sub("{x}", line)) or ()
    said = [t.text for t in tokens if t.kind == "word" and not t.text.startswith("-")]
    first = [word for word in said[:3] if "{" not in word and "/" not in word and "." not in word]
    return tuple(first)


def _same_parameters(proposal: Proposal, planted: Planted) -> bool:
    wanted = {name for line in planted.lines for name in _PLACE.findall(line)}
    return len(proposal.template.parameters) == len(wanted)


def _order(proposal: Proposal, planted: Planted) -> float:
    matched = _matched(proposal, planted)
    ids = [step.id for step in proposal.template.steps]
    waits = {step.id: set(step.depends_on) for step in proposal.template.steps}
    free = {frozenset(pair) for pair in planted.free}
    right = total = 0
    known = sorted(matched)
    for early, late in itertools.pairwise(known):
        total += 1
        first, second = ids[matched[early]], ids[matched[late]]
        if frozenset((early, late)) in free:
            right += not _after(second, first, waits) and not _after(first, second, waits)
        else:
            right += _after(second, first, waits)
    return right / total if total else 1.0


def _after(step: str, other: str, waits: dict[str, set[str]]) -> bool:
    """Whether a step waits for another one, if only for one that waits for it."""
    return other in waits[step] or any(_after(one, other, waits) for one in waits[step])
