"""How near a text is to what is known of each class: its likest examples.

The law: of each class the four likest examples are kept, in order. A text's nearness to a class is
the likest one, and the mean of the four. What is an example itself is compared with all others.
Examples are added one by one, at a cost in proportion to their number; nothing is compared twice.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from shared.suggest.arrays import Array
from shared.suggest.softmax import Classes

KEPT: Final = 4

FEATURES: Final = 2
"""The likest, and the mean of the likest four."""


class Neighbours:
    """The examples of all classes, and for each of them its likest of every class."""

    def __init__(self, likeness: Array, classes: Classes, count: int) -> None:
        """`likeness` are unit vectors `(n, d)`, `classes` `(n,)` below `count`."""
        self._vectors = likeness
        self._classes = classes.astype(int)
        self._count = count
        near = likeness @ likeness.T
        np.fill_diagonal(near, -np.inf)
        self._tops = np.stack([self._top(near, c) for c in range(count)], axis=1)

    def of_examples(self) -> Array:
        """Nearness of every example to every class but for itself, `(n, count, FEATURES)`."""
        return _features(self._tops)

    def of(self, vector: Array) -> Array:
        """Nearness of a text to every class, `(count, FEATURES)`."""
        found: Array = _features(self._tops_of(self._vectors @ vector))
        return found

    def nearest(self, vector: Array, cls: int, most: int) -> list[tuple[int, float]]:
        """Indices and likeness of a class's likest examples, the likest first."""
        found = np.flatnonzero(self._classes == cls)
        near = self._vectors[found] @ vector
        order = np.argsort(-near, kind="stable")[:most]
        return [(int(found[i]), float(near[i])) for i in order]

    def add(self, vector: Array, cls: int) -> None:
        """One more example of a class."""
        near = self._vectors @ vector
        tops = np.concatenate([self._tops[:, cls], near[:, None]], axis=1)
        self._tops[:, cls] = -np.sort(-tops, axis=1)[:, :KEPT]
        self._tops = np.concatenate([self._tops, self._tops_of(near)[None, ...]])
        self._vectors = np.concatenate([self._vectors, vector[None, :]])
        self._classes = np.append(self._classes, cls)

    def _top(self, near: Array, cls: int) -> Array:
        """The largest of each row among a class's columns, `(rows, KEPT)`; what lacks is -inf."""
        columns = np.flatnonzero(self._classes[: near.shape[1]] == cls)
        found = -np.sort(-near[:, columns], axis=1)[:, :KEPT]
        lacking = KEPT - found.shape[1]
        return np.pad(found, ((0, 0), (0, lacking)), constant_values=-np.inf)

    def _tops_of(self, near: Array) -> Array:
        """The largest of one text's likeness to each example, by class: `(count, KEPT)`.

        One sort over all examples, whatever the number of classes: of cosines, no two of which are
        as far apart as two classes are made here.
        """
        classes = self._classes[: len(near)]
        order = np.argsort(classes * np.float64(4) - near)
        begins = np.searchsorted(classes[order], np.arange(self._count))
        place = np.arange(len(order)) - begins[classes[order]]
        first = place < KEPT
        tops = np.full((self._count, KEPT), -np.inf, dtype=np.float32)
        tops[classes[order[first]], place[first]] = near[order[first]]
        return tops


def _features(tops: Array) -> Array:
    """`(n, count, KEPT)` to `(n, count, FEATURES)`; a class without examples is near to nothing."""
    known = np.isfinite(tops)
    filled = np.where(known, tops, np.float32(0))
    mean = filled.sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    return np.asarray(np.stack([filled[..., 0], mean], axis=-1), dtype=np.float32)
