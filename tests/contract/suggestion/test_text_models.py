"""What a text model keeps comes back as it was."""

from __future__ import annotations

import numpy as np
import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.text_models import MongoTextModels
from shared.memory.text_models import MemoryTextModels
from shared.ports.text_models import TextModelStore
from shared.suggest.matcher import Saved
from shared.suggest.softmax import Weights


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> TextModelStore:
    if request.param == "memory":
        return MemoryTextModels()
    made = MongoTextModels(Mongo(request.getfixturevalue("mongo_url")))
    await made.ensure_indexes()
    return made


async def test_vectors_come_back_by_encoder(store: TextModelStore) -> None:
    """Vectors of another encoder are not among them; the same digest again counts once."""
    one, two = np.arange(4, dtype=np.float32), np.ones(4, np.float32)
    await store.keep_vectors("mini", {"a": one})
    await store.keep_vectors("mini", {"a": one, "b": two})
    await store.keep_vectors("other", {"c": two})
    found = await store.vectors("mini")
    assert sorted(found) == ["a", "b"]
    assert found["a"].tolist() == one.tolist()


async def test_weights_come_back_as_they_were(store: TextModelStore) -> None:
    """The last ones that were kept."""
    assert await store.weights() is None
    own = np.arange(6, dtype=np.float32).reshape(3, 2)
    for key in ("old", "new"):
        weights = Weights(own, np.ones(2, np.float32), np.zeros(1, np.float32))
        await store.keep_weights(Saved(("a",), key, weights))
    found = await store.weights()
    assert found is not None
    assert (found.key, found.templates) == ("new", ("a",))
    assert found.weights.own.tolist() == own.tolist()
