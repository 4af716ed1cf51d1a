"""Texts as vectors of meaning: the port of whatever sentence encoder there is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Computes vectors in which near means alike."""

    @property
    def name(self) -> str:
        """Of the model; vectors of two models are never compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of its vectors."""
        ...

    def embed(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, of length 1; the same text always gives the same vector."""
        ...
