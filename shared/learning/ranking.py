"""One kind of thing to predict.

A ranker, its calibration, and what all kinds of candidates share.
"""

from dataclasses import dataclass
from math import log, log1p
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.learning.calibration import Calibrator
from shared.learning.context_table import Floats
from shared.learning.contexts import PAIRED
from shared.learning.evidence import ROWS
from shared.learning.history import Uses, View
from shared.learning.options import LearningOptions
from shared.learning.ranker import Answer, Question, Ranker

MOMENT = ROWS + 8
"""Features of the moment."""

USE_FEATURES = 8
"""Features of how the user has used a candidate before."""

FIRST_OF_EVIDENCE = np.repeat(np.array([0.3, 0.1, 0.2]), ROWS)
"""First weights: of shares, of logs of weights, of quick shares."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates of a moment with their probabilities (the last one: none of these)."""

    ids: list[int]
    texts: list[str]
    question: Question
    answer: Answer

    @property
    def probabilities(self) -> Floats:
        """Of the candidates, and last of "none of these"."""
        return self.answer.probabilities

    def order(self, limit: int) -> list[int]:
        """Indices of the likeliest."""
        best: list[int] = np.argsort(-self.probabilities[:-1], kind="stable")[:limit].tolist()
        return best

    def first(self) -> float:
        """What is said of the likeliest candidate; 0 without any."""
        return float(self.probabilities[:-1].max()) if self.ids else 0.0

    def place_of(self, wanted: int) -> int:
        """The index of an id; where it is no candidate, that of "none"."""
        return self.ids.index(wanted) if wanted in self.ids else len(self.ids)


class Ranking:
    """Ranks one kind of candidates and learns from what came."""

    def __init__(self, options: LearningOptions, first: Floats, none_features: int, missing: float):
        self.options = options
        rates = options.ranker_rate, options.pair_rate
        self.ranker = Ranker(first, MOMENT, none_features, options.hidden, rates)
        self.calibrator = Calibrator()
        self.missing = missing
        """How often none of the candidates was right, lately."""

    def moment(self, view: View, totals: npt.NDArray[Any]) -> Floats:
        """What holds for all candidates: how much is known, and where in the session we are."""
        last = view.last[0]
        rest = [
            1,
            log1p(view.step) * 0.2,
            log1p(view.session_step) * 0.3,
            min(view.repeats, 3) * 0.3,
            last.ending >= 2,
            last.more_lines,
            last.novel,
            self.missing,
        ]
        return np.concatenate([np.log1p(totals) * 0.5, rest]).astype(np.float32)

    def learn(self, ranked: Ranked, came: int, steps: int, visits: Floats) -> None:
        """`came` came; `steps` commands the user gave before, `visits` times in each context."""
        answer = ranked.place_of(came)
        scale = 1 / (1 + steps / self.options.ranker_damping)
        shared = 1 / (1 + visits[list(PAIRED)] / self.options.pair_damping)
        others = ranked.question.pairs.shape[1] // len(PAIRED) - 2
        pair_scale = np.concatenate([shared, np.ones(len(PAIRED)), np.tile(shared, others)])
        if ranked.ids:
            right = ranked.order(1)[0] == answer
            self.calibrator.learn(ranked.first(), right, scale)
        self.ranker.learn(
            ranked.question, ranked.answer, answer, scale, pair_scale.astype(np.float32)
        )
        self.missing += 0.05 * scale * ((answer == len(ranked.ids)) - self.missing)


def write_uses(
    features: Floats, ids: list[int], uses: Uses, view: View, recent: tuple[int, int]
) -> None:
    """How the user has used each of `ids`, into `USE_FEATURES` columns; `recent`.

    The last two ids.
    """
    for row, used in zip(features, ids, strict=True):
        row[6], row[7] = used == recent[0], used == recent[1]
        known = uses.of.get(used)
        if known is None:
            row[0] = 1
            continue
        count, step, session, in_session, _ = known
        ago = view.step - step
        row[1], row[2], row[3] = log1p(count) * 0.3, 1 / ago, log(ago) * 0.2
        if session == view.session:
            row[4] = log1p(in_session) * 0.3
        else:
            row[5] = 1
