"""An online ranker: a softmax over candidates and one class more, "none of these".

The law:

1. A candidate's score is `x·w + relu(x·W + g·V + b)·u + Σ pairs`, with `x` its features, `g` what
   holds for the moment, and one weight for each pair of candidate and context (hashed). The score
   of "none" is `n·z + tanh(n·Z)·y`.
2. Scores become probabilities by softmax. After each command all weights go down the gradient of
   the log loss: the dense ones by Adam (Kingma & Ba 2015), the pairs by AdaGrad (Duchi et al.
   2011), which suits what is seen rarely.
3. The first weights come from a fixed seed, so the same commands make the same ranker everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shared.learning.context_table import Floats
from shared.learning.hashing import UInt64s, pair_places

PAIR_BITS = 16
_NONE_UNITS = 16
_FIRST_MOMENT, _SECOND_MOMENT, _TINY = 0.9, 0.99, 1e-6


@dataclass(frozen=True, slots=True)
class Question:
    """What is ranked: features (candidates, D), of the moment (G,), for "none" (N,), and pairs."""

    features: Floats
    moment: Floats
    none: Floats
    pairs: npt.NDArray[np.intp]

    @classmethod
    def of(
        cls, features: Floats, moment: Floats, none: Floats, ids: list[int], keys: UInt64s
    ) -> "Question":
        """A question about candidates `ids`, paired with the contexts `keys`."""
        places = pair_places(np.array(ids, np.uint64), keys, PAIR_BITS)
        return cls(features, moment, none, places)

    def also_paired(self, parts: list[int], keys: UInt64s) -> "Question":
        """The same, where a part that candidates share has weights with the contexts `keys`, too.

        `parts`: one for each candidate.
        """
        more = pair_places(np.array(parts, np.uint64), keys, PAIR_BITS)
        return replace(self, pairs=np.concatenate([self.pairs, more], 1))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ranker said; good for learning until it learns anything else."""

    probabilities: Floats
    """Of the candidates, and last of "none of these"."""
    hidden: Floats
    none_hidden: Floats


class Ranker:
    """Scores candidates; see the law above."""

    def __init__(
        self, first: Floats, moment: int, none: int, hidden: int, rates: tuple[float, float]
    ):
        """`first`: the first weights of the features; `rates`.

        Of the dense weights and the pairs.
        """
        draw = np.random.default_rng(7).standard_normal
        d = len(first)
        self.rate, self.pair_rate = rates
        self.weights: dict[str, Floats] = {
            "w": first.astype(np.float32),
            "W": _scaled(draw((d, hidden)), d),
            "V": _scaled(draw((moment, hidden)), moment),
            "b": np.zeros(hidden, np.float32),
            "u": (draw(hidden) * 0.05).astype(np.float32),
            "z": np.zeros(none, np.float32),
            "Z": _scaled(draw((none, _NONE_UNITS)), none),
            "y": np.zeros(_NONE_UNITS, np.float32),
        }
        self.means = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.squares = {name: np.zeros_like(value) for name, value in self.weights.items()}
        self.pairs = np.zeros(1 << PAIR_BITS, np.float32)
        self.pair_squares = np.ones(1 << PAIR_BITS, np.float32)
        self.steps = 0

    def rank(self, question: Question) -> Answer:
        """Rank the candidates of a question."""
        p, x = self.weights, question.features
        hidden = np.maximum(x @ p["W"] + (question.moment @ p["V"] + p["b"]), 0)
        none_hidden = np.tanh(question.none @ p["Z"])
        scores = np.empty(len(x) + 1, np.float32)
        scores[:-1] = x @ p["w"] + hidden @ p["u"] + self.pairs[question.pairs].sum(1)
        scores[-1] = question.none @ p["z"] + none_hidden @ p["y"]
        odds = np.exp(scores - scores.max())
        return Answer(odds / odds.sum(), hidden, none_hidden)

    def learn(
        self, question: Question, answer: Answer, right: int, scale: float, pair_scale: Floats
    ) -> None:
        """Candidate `right` was right (their number: none was); `answer` was said just before.

        `scale` shortens the step, `pair_scale` by context that of the pairs.
        """
        p, x = self.weights, question.features
        hidden, none_hidden = answer.hidden, answer.none_hidden
        error = answer.probabilities.copy()
        error[right] -= 1
        each, none = error[:-1], error[-1]
        back = (each[:, None] * p["u"]) * (hidden > 0)
        back_sum = back.sum(0)
        none_back = none * p["y"] * (1 - none_hidden * none_hidden)
        slopes = {
            "w": x.T @ each,
            "W": x.T @ back,
            "V": np.outer(question.moment, back_sum),
            "b": back_sum,
            "u": hidden.T @ each,
            "z": none * question.none,
            "Z": np.outer(question.none, none_back),
            "y": none * none_hidden,
        }
        self._learn_pairs(question.pairs, each[:, None] * (pair_scale * np.float32(scale)))
        self._step(slopes, scale)

    def _learn_pairs(self, places: npt.NDArray[np.intp], slopes: Floats) -> None:
        np.add.at(self.pair_squares, places, slopes * slopes)
        moves = self.pair_rate * slopes / np.sqrt(self.pair_squares[places])
        np.add.at(self.pairs, places, -moves)

    def _step(self, slopes: Mapping[str, Floats], scale: float) -> None:
        self.steps += 1
        rate = self.rate * scale * (1 - _SECOND_MOMENT**self.steps) ** 0.5
        rate /= 1 - _FIRST_MOMENT**self.steps
        for name, slope in slopes.items():
            mean, square = self.means[name], self.squares[name]
            mean += (1 - _FIRST_MOMENT) * (slope - mean)
            square += (1 - _SECOND_MOMENT) * (slope * slope - square)
            self.weights[name] -= np.float32(rate) * mean / (np.sqrt(square) + _TINY)

    def state(self) -> dict[str, object]:
        """What `restore` needs."""
        return dict(vars(self))

    def restore(self, state: Mapping[str, object]) -> None:
        """Be as the ranker was that gave `state`."""
        vars(self).update(state)


def _scaled(drawn: npt.NDArray[np.float64], inputs: int) -> Floats:
    scaled: Floats = (drawn / inputs**0.5).astype(np.float32)
    return scaled
