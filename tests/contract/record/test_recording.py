"""What users choose about being recorded, in memory and in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.recording import MongoRecordingChoices
from shared.memory.recording import MemoryRecordingChoices
from shared.ports.recording import RecordingChoice, RecordingChoices


@pytest.fixture(params=["memory", "mongo"])
async def choices(request: pytest.FixtureRequest) -> AsyncIterator[RecordingChoices]:
    if request.param == "memory":
        yield MemoryRecordingChoices()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"), journaled=False)
    yield MongoRecordingChoices(mongo)
    await mongo.close()


async def test_the_last_choice_counts(choices: RecordingChoices) -> None:
    """Whoever chose nothing is not in the way; the last choice of a user is theirs."""
    assert await choices.of("ada") is None
    off = RecordingChoice("ada", on=False, at_ms=1, by="ada")
    await choices.choose(off)
    await choices.choose(RecordingChoice("bob", on=True, at_ms=2, by="admin"))
    assert await choices.of("ada") == off
    assert await choices.off() == {"ada"}
    on = RecordingChoice("ada", on=True, at_ms=3, by="ada")
    await choices.choose(on)
    assert await choices.of("ada") == on
    assert await choices.off() == frozenset()
