"""What a user's own labelled texts say of a text, for that user alone.

The law: the likest own text of a template (or of nothing) adds to the log odds of that template, in
proportion to how much liker it is than `NEAR`. In the collective the same texts weigh little
(`feedback.weights_of`); who gave them is not kept waiting by that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.suggest.arrays import Array
from shared.suggest.matcher import Answer, Match

NEAR: Final = 0.55
STRENGTH: Final = 5.0
"""Log odds that the very same text adds."""


@dataclass(frozen=True)
class OwnText:
    """A text that a user labelled, as its unit vector."""

    template: str | None
    vector: Array


def for_user(answer: Answer, vector: Array, own: Sequence[OwnText]) -> Answer:
    """The answer as it is for a user with these own texts."""
    added: dict[str | None, float] = {}
    for one in own:
        near = (float(one.vector @ vector) - NEAR) / (1 - NEAR)
        if near > 0:
            added[one.template] = max(added.get(one.template, 0.0), STRENGTH * near)
    return _raised(answer, added) if added else answer


def _raised(answer: Answer, added: Mapping[str | None, float]) -> Answer:
    weights = [m.confidence * math.exp(added.get(m.template, 0.0)) for m in answer.matches]
    nothing = answer.nothing * math.exp(added.get(None, 0.0))
    total = sum(weights) + nothing
    found = [
        Match(match.template, match.name, weight / total)
        for match, weight in zip(answer.matches, weights, strict=True)
    ]
    found.sort(key=lambda one: -one.confidence)
    return Answer(tuple(found), nothing / total)
