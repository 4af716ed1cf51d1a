"""An encoder that knows the vectors of texts that it was told beforehand, by digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from shared.ports.embedder import Embedder
from shared.suggest.nothing import TEXTS
from shared.suggest.situations import profile
from shared.suggest.words import spaced
from shared.workflow.definition import Template


class KnownVectors:
    """Asks another encoder only for what is new."""

    def __init__(self, embedder: Embedder, known: Mapping[str, NDArray[np.float32]]) -> None:
        self._embedder = embedder
        self._known = dict(known)
        self.name = embedder.name
        self.dimensions = embedder.dimensions

    def embed(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a text."""
        found = self._known.get(digest(text))
        return found if found is not None else self._embedder.embed(text)

    def learned(self, templates: Iterable[Template]) -> dict[str, NDArray[np.float32]]:
        """The vectors of the templates' own texts that were not known; they are from now on."""
        texts = [text for one in templates for text in profile(one).examples]
        new = {}
        for text in (*texts, *TEXTS):
            named = digest(spaced(text))
            if named not in self._known:
                new[named] = self._embedder.embed(spaced(text))
        self._known.update(new)
        return new


def digest(text: str) -> str:
    """What a text is known by."""
    return sha256(text.encode()).hexdigest()[:32]
