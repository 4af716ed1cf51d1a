"""The linear model: that it learns, that it is a probability, that it goes on from where it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.suggest import softmax


def examples(count: int = 60, classes: int = 3, seed: int = 5) -> softmax.Examples:
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, classes, count)
    centres = draw.normal(0, 1, (classes, 6))
    evidence = (centres[kinds] + draw.normal(0, 0.3, (count, 6))).astype(np.float32)
    fit = np.zeros((count, classes, 1), np.float32)
    fit[np.arange(count), kinds, 0] = 0.5
    return softmax.Examples(evidence, fit, kinds, np.ones(count, np.float32))


def loss(weights: softmax.Weights, given: softmax.Examples) -> float:
    chances = softmax.probabilities(weights.scores(given.evidence, given.fit))
    right = chances[np.arange(len(chances)), given.classes.astype(int)]
    prior = np.square(weights.own).sum() + np.square(weights.shared).sum()
    return float(-np.log(right).mean() + softmax.PRIOR / 2 * prior)


def test_what_can_be_told_apart_is() -> None:
    """Classes in places of their own are learned."""
    given = examples()
    weights = softmax.descend(softmax.nothing_learned(6, 3, 1), given, 200)
    found = weights.scores(given.evidence, given.fit).argmax(axis=1)
    assert (found == given.classes).mean() > 0.95


def test_the_loss_only_falls() -> None:
    """More steps are never worse than fewer, in the long run."""
    given = examples()
    start = softmax.nothing_learned(6, 3, 1)
    losses = [loss(softmax.descend(start, given, steps), given) for steps in (0, 10, 50, 250)]
    assert losses == sorted(losses, reverse=True)


def test_the_way_does_not_matter_to_the_end() -> None:
    """Learning on from other weights comes to the same probabilities."""
    given = examples()
    one = softmax.descend(softmax.nothing_learned(6, 3, 1), given, 6_000)
    other = softmax.descend(softmax.nothing_learned(6, 3, 1), examples(seed=9), 100)
    other = softmax.descend(other, given, 6_000)
    a, b = (softmax.probabilities(w.scores(given.evidence, given.fit)) for w in (one, other))
    assert a == pytest.approx(b, abs=0.01)


def test_fit_helps_a_class_of_which_nothing_is_known() -> None:
    """The shared weight is learned from some classes and holds for another one."""
    known = examples(classes=3)
    given = softmax.Examples(
        np.zeros_like(known.evidence),
        np.concatenate([known.fit, np.zeros((60, 1, 1), np.float32)], axis=1),
        known.classes,
        known.weights,
    )
    weights = softmax.descend(softmax.nothing_learned(6, 4, 1), given, 200)
    fit = np.array([[[0.0], [0.0], [0.0], [0.5]]], np.float32)
    none = np.array([[[0.0], [0.0], [0.0], [0.0]]], np.float32)
    nothing = np.zeros((1, 6), np.float32)
    fitting, plain = (softmax.probabilities(weights.scores(nothing, f))[0, 3] for f in (fit, none))
    assert fitting > plain


@given(st.lists(st.floats(-500, 500, width=32), min_size=2, max_size=9))
def test_probabilities_are_such(scores: list[float]) -> None:
    """They are shares of one, however large the scores are, in the same order."""
    found = softmax.probabilities(np.array(scores, np.float32))
    assert float(found.sum()) == pytest.approx(1, abs=1e-4)
    assert found[int(np.argmax(scores))] == found.max()
