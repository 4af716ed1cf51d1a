"""A linear model over evidence that gives probabilities: multinomial logistic regression.

The law:

* `p(c | z, g) = softmax(z W + b + g v)_c`. `z` is the evidence of the text, with weights of its own
  for each class; `g` is how the text fits each class (one row for each), with weights `v` that all
  classes share, so that a class of which hardly anything is known is matched as well.
* Weights minimise the mean log loss and a Gaussian prior on `W` and `v`. The loss is convex: where
  the descent begins does not matter to where it ends, so learning goes on from the last weights.
* The descent is Nesterov's (1983), with the step that the largest example allows: deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.suggest.arrays import Array

Classes = NDArray[np.integer[Any]]
"""Whole numbers, each the place of a class."""

PRIOR: Final = 1e-4
"""Strength of the Gaussian prior, against the mean loss of an example."""

FIRST_STEPS: Final = 250
"""Steps of the descent when everything is new."""


@dataclass(frozen=True)
class Examples:
    """What is learned from: `n` texts over `k` classes."""

    evidence: Array  # (n, d)
    fit: Array  # (n, k, g)
    classes: Classes  # (n,), below k
    weights: Array  # (n,)


@dataclass(frozen=True)
class Weights:
    """What has been learned; frozen, so that a reader never sees half of an update."""

    own: Array  # (d, k)
    bias: Array  # (k,)
    shared: Array  # (g,)

    def scores(self, evidence: Array, fit: Array) -> Array:
        """Logarithms of unnormalised probabilities, `(n, k)` for `(n, d)` and `(n, k, g)`."""
        scores: Array = evidence @ self.own + self.bias + fit @ self.shared
        return scores


def nothing_learned(dimensions: int, classes: int, fits: int) -> Weights:
    """The weights from which the first descent begins."""
    return Weights(
        np.zeros((dimensions, classes), np.float32),
        np.zeros(classes, np.float32),
        np.zeros(fits, np.float32),
    )


def carried(weights: Weights, places: Sequence[int | None], into: Weights) -> Weights:
    """The weights with each class at its new place; None is gone. The last one is nothing's."""
    own, bias = into.own.copy(), into.bias.copy()
    for before, now in enumerate([*places, into.bias.shape[0] - 1]):
        if now is not None:
            own[:, now] = weights.own[:, before]
            bias[now] = weights.bias[before]
    return Weights(own, bias, weights.shared)


def probabilities(scores: Array) -> Array:
    """The softmax along the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def descend(start: Weights, examples: Examples, steps: int) -> Weights:
    """Better weights for these examples, by so many steps from `start`."""
    count = start.bias.shape[0]
    wanted = np.eye(count, dtype=np.float32)[examples.classes.astype(int)]
    share = (examples.weights / examples.weights.sum())[:, None].astype(np.float32)
    step = np.float32(1 / _curvature(examples))
    now, ahead = start, start
    for index in range(steps):
        errors = (probabilities(ahead.scores(examples.evidence, examples.fit)) - wanted) * share
        new = Weights(
            ahead.own - step * (examples.evidence.T @ errors + np.float32(PRIOR) * ahead.own),
            ahead.bias - step * errors.sum(axis=0),
            ahead.shared - step * _slope(examples.fit, errors, ahead.shared),
        )
        momentum = np.float32(index / (index + 3))
        ahead = Weights(
            new.own + momentum * (new.own - now.own),
            new.bias + momentum * (new.bias - now.bias),
            new.shared + momentum * (new.shared - now.shared),
        )
        now = new
    return now


def _slope(fit: Array, errors: Array, shared: Array) -> Array:
    return np.asarray(np.einsum("nk,nkg->g", errors, fit) + PRIOR * shared, dtype=np.float32)


def _curvature(examples: Examples) -> float:
    """A bound of the loss's second derivative: half of the mean squared length of an example.

    The softmax's own curvature is at most 1/2 (Böhning 1992).
    """
    share = examples.weights / examples.weights.sum()
    squares = np.square(examples.evidence).sum(axis=1) + 1
    fits = np.square(examples.fit).sum(axis=(1, 2))
    return float(0.5 * ((squares + fits) * share).sum()) + PRIOR
