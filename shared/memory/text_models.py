"""What text models keep, in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.suggest.matcher import Saved


class MemoryTextModels:
    """See the port."""

    def __init__(self) -> None:
        self._vectors: dict[str, dict[str, NDArray[np.float32]]] = {}
        self._saved: Saved | None = None

    async def vectors(self, model: str) -> Mapping[str, NDArray[np.float32]]:
        """All vectors of an encoder by the digest of their text."""
        return dict(self._vectors.get(model, {}))

    async def keep_vectors(self, model: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep some more."""
        self._vectors.setdefault(model, {}).update(vectors)

    async def weights(self) -> Saved | None:
        """The weights that were kept last."""
        return self._saved

    async def keep_weights(self, saved: Saved) -> None:
        """Keep these instead."""
        self._saved = saved
