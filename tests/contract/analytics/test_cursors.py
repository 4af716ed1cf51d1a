"""Cursors in memory and in MongoDB: they never go back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.cursors import MongoCursors
from shared.memory.cursors import MemoryCursors
from shared.ports.cursors import Cursors


@pytest.fixture(params=["memory", "mongo"])
async def cursors(request: pytest.FixtureRequest) -> AsyncIterator[Cursors]:
    if request.param == "memory":
        yield MemoryCursors()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    yield MongoCursors(mongo)
    await mongo.close()


async def test_a_cursor_begins_at_nothing_and_never_goes_back(cursors: Cursors) -> None:
    """0 at first, then the highest place that was told; each name for itself."""
    name = f"c-{secrets.token_hex(4)}"
    assert await cursors.get(name) == 0
    await cursors.move(name, 7)
    await cursors.move(name, 3)
    assert await cursors.get(name) == 7
    assert await cursors.get(f"{name}-other") == 0
