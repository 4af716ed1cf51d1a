"""What text models keep, in MongoDB: `text_vectors`, and one document in `text_weights`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from bson import Binary
from numpy.typing import NDArray
from pymongo import ReplaceOne

from shared.adapters.mongo.connection import Mongo
from shared.suggest.matcher import Saved
from shared.suggest.softmax import Weights

MOST_BYTES: Final = 12 * 1024 * 1024
"""Of weights in one document; MongoDB takes 16 MiB."""

KEPT_DAYS: Final = 90
"""A vector that was kept so long ago goes; where its text is still there it is made again."""

_BATCH: Final = 500
_CURRENT: Final = "current"


class MongoTextModels:
    """See the module."""

    def __init__(self, mongo: Mongo) -> None:
        self._vectors = mongo.database["text_vectors"]
        self._weights = mongo.database["text_weights"]

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await self._vectors.create_index([("model", 1)])
        await self._vectors.create_index("at", expireAfterSeconds=KEPT_DAYS * 86_400)

    async def vectors(self, model: str) -> Mapping[str, NDArray[np.float32]]:
        """All vectors of an encoder by the digest of their text."""
        found: dict[str, NDArray[np.float32]] = {}
        async for row in self._vectors.find({"model": model}):
            found[row["digest"]] = np.frombuffer(row["vector"], np.float32)
        return found

    async def keep_vectors(self, model: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep some more."""
        now = datetime.now(UTC)
        writes = [
            ReplaceOne(
                {"_id": f"{model}/{digest}"},
                {"model": model, "digest": digest, "vector": Binary(one.tobytes()), "at": now},
                upsert=True,
            )
            for digest, one in vectors.items()
        ]
        for begin in range(0, len(writes), _BATCH):
            await self._vectors.bulk_write(writes[begin : begin + _BATCH], ordered=False)

    async def weights(self) -> Saved | None:
        """The weights that were kept last; None where there are none, or they cannot be read."""
        row: dict[str, Any] | None = await self._weights.find_one({"_id": _CURRENT})
        if row is None:
            return None
        try:
            own = np.frombuffer(row["own"], np.float32).reshape(row["shape"])
            bias = np.frombuffer(row["bias"], np.float32)
            shared = np.frombuffer(row["shared"], np.float32)
            return Saved(tuple(row["templates"]), row["key"], Weights(own, bias, shared))
        except (KeyError, ValueError, TypeError):
            return None

    async def keep_weights(self, saved: Saved) -> None:
        """Keep these instead; those that are too large for one document are left out."""
        weights = saved.weights
        if weights.own.nbytes > MOST_BYTES:
            return
        row = {
            "templates": list(saved.templates),
            "key": saved.key,
            "own": Binary(np.ascontiguousarray(weights.own).tobytes()),
            "shape": list(weights.own.shape),
            "bias": Binary(weights.bias.tobytes()),
            "shared": Binary(weights.shared.tobytes()),
        }
        await self._weights.replace_one({"_id": _CURRENT}, row, upsert=True)
