"""Confidence that means what it says: of suggestions made with confidence 0.7, 7 in 10 are right.

Two stages, both online. The first fits the log-odds by a line (Platt scaling; AdaGrad). The second
is a curve of `KNOTS + 1` points, between which it is straight: each point moves to how often what
came near it was right, and forgets slowly. The curve starts as the identity.
"""

from math import exp, log

KNOTS = 12
_RATE = 0.18
_PRIOR = 20.0
"""How many observations the first curve counts as."""
_KEPT = 0.998
"""What one observation leaves of the weight of older ones."""
_LEAST = 1e-3


class Calibrator:
    """Maps what a ranker says about its first candidate to how often that is right."""

    def __init__(self) -> None:
        self.slope, self.shift = 1.0, 0.0
        self.squares = [1.0, 1.0]
        self.curve = [knot / KNOTS for knot in range(KNOTS + 1)]
        self.counts = [_PRIOR] * (KNOTS + 1)

    def confidence(self, said: float) -> float:
        """The probability that the first candidate is right, where the ranker said `said`."""
        left, share = self._place(self._straightened(said))
        return (1 - share) * self.curve[left] + share * self.curve[left + 1]

    def learn(self, said: float, right: bool, scale: float = 1.0) -> None:
        """The ranker said `said`, and was `right` or not; `scale` shortens the step."""
        odds, straightened = _log_odds(said), self._straightened(said)
        expected, (left, share) = self.confidence(said), self._place(straightened)
        for knot, weight in ((left, (1 - share) * scale), (left + 1, share * scale)):
            self.counts[knot] = self.counts[knot] * (1 - (1 - _KEPT) * weight) + weight
            self.curve[knot] += weight * (right - expected) / self.counts[knot]
            self.curve[knot] = min(1.0, max(0.0, self.curve[knot]))
        error = (straightened - right) * scale
        for index, slope in enumerate((error * odds, error)):
            self.squares[index] += slope * slope
            move = _RATE * slope / self.squares[index] ** 0.5
            if index == 0:
                self.slope -= move
            else:
                self.shift -= move

    def _straightened(self, said: float) -> float:
        return 1 / (1 + exp(-max(-30.0, min(30.0, self.slope * _log_odds(said) + self.shift))))

    @staticmethod
    def _place(value: float) -> tuple[int, float]:
        left = min(int(value * KNOTS), KNOTS - 1)
        return left, value * KNOTS - left

    def state(self) -> dict[str, object]:
        """What `restore` needs."""
        return dict(vars(self))

    def restore(self, state: dict[str, object]) -> None:
        """Be as the calibrator was that gave `state`."""
        vars(self).update(state)


def _log_odds(said: float) -> float:
    said = min(1 - _LEAST, max(_LEAST, said))
    return log(said / (1 - said))
