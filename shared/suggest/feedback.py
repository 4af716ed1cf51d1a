"""What people said of suggestions: the fold from which texts are learned and confidences moved.

The law:

* A text that somebody accepted, corrected or refused as a whole is an example: of a template, or of
  nothing. The newest `MOST_LABELS` are kept, of one user the newest `MOST_OF_ONE`; the same text of
  the same user counts once, as it was said last.
* In the collective the n-th example of a user weighs `1 / (1 + n / D)` of the first, and never
  more than `MOST_WEIGHT` together: so one user cannot outweigh the many
  (the form of ADR 58, with a bound beside it). For that user alone it counts fully.
* Confidences of each basis (text, steps, sequence) follow how often suggestions of that basis were
  accepted: one number moves the log odds, in steps that shrink with what one user has said.
* How one user answers suggestions of one template moves them for that user alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.learning.records import AnyRecord, Feedback, Forget

NAME: Final = "suggestion-feedback"

Basis = Literal["text", "steps", "sequence"]
BASES: Final[tuple[Basis, ...]] = ("text", "steps", "sequence")
MARKS: Final[dict[str, Basis]] = {"sgt": "text", "sgs": "steps", "sgc": "sequence"}
"""What ids of suggestions begin with, by what they rest on."""

MOST_LABELS: Final = 2_000
MOST_OF_ONE: Final = 200
DAMPING: Final = 8.0
MOST_WEIGHT: Final = 12.0
"""What all examples of one user weigh together in the collective, in examples."""

MOST_USERS: Final = 4_000
MOST_TEMPLATES_OF_ONE: Final = 100
_STEP: Final = 0.15
_FARTHEST: Final = 1.5
"""How far feedback moves the log odds of a basis, at most."""

_STEP_DAMPING: Final = 20.0
_OWN_STRENGTH: Final = 0.5
_OWN_FARTHEST: Final = 1.5


@dataclass(frozen=True)
class Label:
    """An example that somebody gave. `template` None: nothing fits."""

    user: str
    text: str
    template: str | None
    execution: str
    place: int


class FeedbackFold:
    """See the module."""

    name = NAME
    version = 1
    personal = True

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], Label] = {}
        self.offsets: dict[Basis, float] = dict.fromkeys(BASES, 0.0)
        self._said: dict[str, int] = {}
        self._own: dict[str, dict[str, list[int]]] = {}
        self.changes = 0
        """Rises whenever the examples change."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """The examples, the oldest first."""
        return tuple(self._labels.values())

    def of_user(self, user: str) -> list[Label]:
        """The examples of one user, the oldest first."""
        return [one for one in self._labels.values() if one.user == user]

    def apply(self, item: AnyRecord, place: int) -> None:
        """Learn from feedback; other items say nothing of suggestions."""
        if not isinstance(item, Feedback):
            return
        taken = item.verdict == "accepted"
        self._move(item, taken)
        if item.kind == "workflow":
            self._answer(item.user, item.suggested, taken)
            if item.text.strip():
                self._label(item, place)

    def forget(self, order: Forget) -> bool:
        """Nothing was learned of the user: nothing to forget. Otherwise it must be rebuilt."""
        return order.user not in self._said if order.user else not self._said

    def moved(self, basis: Basis, confidence: float, user: str, template: str = "") -> float:
        """A confidence as feedback has moved it."""
        inside = min(1 - 1e-6, max(1e-6, confidence))
        odds = math.log(inside / (1 - inside)) + self.offsets[basis]
        accepted, dismissed = self._own.get(user, {}).get(template, (0, 0)) if template else (0, 0)
        own = _OWN_STRENGTH * math.log((accepted + 1) / (dismissed + 1))
        odds += max(-_OWN_FARTHEST, min(_OWN_FARTHEST, own))
        return 1 / (1 + math.exp(-odds))

    def answered(self, user: str, template: str) -> tuple[int, int]:
        """How often this user accepted and dismissed a template."""
        accepted, dismissed = self._own.get(user, {}).get(template, (0, 0))
        return accepted, dismissed

    def save(self) -> bytes:
        """The whole state as JSON."""
        rows = [[o.user, o.text, o.template, o.execution, o.place] for o in self._labels.values()]
        state = {"labels": rows, "offsets": self.offsets, "said": self._said, "own": self._own}
        return json.dumps(state).encode()

    def load(self, data: bytes) -> None:
        """Be as the fold that saved `data`. Raises ValueError for anything else."""
        try:
            kept: dict[str, Any] = json.loads(data)
            labels = [Label(*row) for row in kept["labels"]]
            offsets: dict[Basis, float] = {basis: float(kept["offsets"][basis]) for basis in BASES}
            self._said, self._own = dict(kept["said"]), dict(kept["own"])
        except (AttributeError, TypeError, KeyError) as error:
            raise ValueError(f"this is no snapshot of feedback: {error!r}") from error
        self._labels = {(one.user, one.text): one for one in labels}
        self.offsets = offsets
        self.changes += 1

    def _move(self, item: Feedback, taken: bool) -> None:
        """One step of the offset of its basis, toward what was said."""
        said = self._said.pop(item.user, 0)
        self._said[item.user] = said + 1
        if len(self._said) > MOST_USERS:
            gone = next(iter(self._said))
            del self._said[gone]
            self._own.pop(gone, None)
        basis = MARKS.get(item.suggestion_id.partition("_")[0])
        if basis is None:
            return
        step = _STEP / (1 + said / _STEP_DAMPING)
        before = self.offsets[basis]
        room = _FARTHEST - abs(before) if (before > 0) == taken else _FARTHEST
        change = step * max(0.0, room) / _FARTHEST
        self.offsets[basis] = before + (change if taken else -change)

    def _answer(self, user: str, template: str, taken: bool) -> None:
        own = self._own.setdefault(user, {})
        accepted, dismissed = own.pop(template, (0, 0))
        own[template] = [accepted + taken, dismissed + (not taken)]
        if len(own) > MOST_TEMPLATES_OF_ONE:
            del own[next(iter(own))]

    def _label(self, item: Feedback, place: int) -> None:
        if item.verdict == "accepted":
            template: str | None = item.suggested
        elif item.verdict == "edited" and item.chosen:
            template = item.chosen
        elif item.nothing_fits:
            template = None
        else:
            return
        key = (item.user, item.text)
        self._labels.pop(key, None)
        self._labels[key] = Label(item.user, item.text, template, item.execution_id, place)
        mine = [each for each in self._labels if each[0] == item.user]
        for each in mine[:-MOST_OF_ONE]:
            del self._labels[each]
        while len(self._labels) > MOST_LABELS:
            del self._labels[next(iter(self._labels))]
        self.changes += 1


def weights_of(labels: tuple[Label, ...]) -> list[float]:
    """What each example weighs in the collective, 1 for the first of a user, in their order."""
    given: dict[str, int] = {}
    found = []
    for one in labels:
        number = given.get(one.user, 0)
        given[one.user] = number + 1
        found.append(1 / (1 + number / DAMPING))
    totals: dict[str, float] = {}
    for one, weight in zip(labels, found, strict=True):
        totals[one.user] = totals.get(one.user, 0.0) + weight
    return [
        weight * min(1.0, MOST_WEIGHT / totals[one.user])
        for one, weight in zip(labels, found, strict=True)
    ]
