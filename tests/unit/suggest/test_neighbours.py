"""The likest examples of every class."""

import numpy as np
import pytest

from shared.suggest.arrays import Array
from shared.suggest.neighbours import Neighbours


def vectors(count: int, seed: int = 1) -> Array:
    found = np.random.default_rng(seed).normal(0, 1, (count, 5)).astype(np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def test_added_one_by_one_is_as_if_given_at_once() -> None:
    """What an example is near to does not depend on when others came."""
    all_of_them = vectors(30)
    classes = np.arange(30) % 3
    at_once = Neighbours(all_of_them, classes, 3)
    grown = Neighbours(all_of_them[:7], classes[:7], 3)
    for vector, cls in zip(all_of_them[7:], classes[7:], strict=True):
        grown.add(vector, int(cls))
    assert grown.of_examples() == pytest.approx(at_once.of_examples(), abs=1e-6)
    probe = vectors(1, seed=8)[0]
    assert grown.of(probe) == pytest.approx(at_once.of(probe), abs=1e-6)


def test_an_example_is_not_its_own_neighbour() -> None:
    """Otherwise each would be nearest to its own class, whatever it says."""
    two = np.array([[1, 0], [0, 1]], np.float32)
    found = Neighbours(two, np.array([0, 1]), 2).of_examples()
    assert found[:, :, 0].tolist() == [[0, 0], [0, 0]]


def test_the_nearest_come_first() -> None:
    """Examples of one class in the order of their likeness."""
    given = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    found = Neighbours(given, np.array([0, 0, 0]), 1).nearest(given[2], 0, 2)
    assert [index for index, _ in found] == [2, 1]
    assert found[1][1] == pytest.approx(0.8)


def test_a_class_without_examples_is_near_to_nothing() -> None:
    """It is no error, and no advantage."""
    found = Neighbours(vectors(4), np.array([0, 0, 1, 1]), 3).of(vectors(1, seed=4)[0])
    assert found[2].tolist() == [0, 0]
