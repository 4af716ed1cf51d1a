"""Where a text model keeps what takes long to make: vectors of templates' texts, and its weights.

Only texts of templates are kept, by a digest; what people wrote is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.suggest.matcher import Saved


class TextModelStore(Protocol):
    """Kept between starts; without it all is made again."""

    async def vectors(self, model: str) -> Mapping[str, NDArray[np.float32]]:
        """All vectors of an encoder by the digest of their text."""
        ...

    async def keep_vectors(self, model: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep some more."""
        ...

    async def weights(self) -> Saved | None:
        """The weights that were kept last; None where there are none, or they cannot be read."""
        ...

    async def keep_weights(self, saved: Saved) -> None:
        """Keep these instead; those that are too large for one document are left out."""
        ...
