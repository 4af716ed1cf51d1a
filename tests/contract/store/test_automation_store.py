"""The store of schedules: the newest state wins, and what was deleted is not seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.adapters.mongo.actors import MongoAutomationStore
from shared.adapters.mongo.connection import Mongo
from shared.automation.specs import RuleSpec, ScheduleSpec
from shared.automation.states import RuleState, ScheduleState, Status
from shared.contracts.automations import StoredAutomation
from shared.memory.actors import MemoryAutomationStore
from shared.ports.automations import AutomationStore
from shared.workflow.messages import Actor

SPEC = ScheduleSpec.model_validate(
    {
        "name": "nightly ⏰",
        "template_id": "check",
        "parameters": {"a.b": {"$set": [None, 10**30]}, "nul\x00": "\x00"},
        "timetable": {"cron": "0 30 2 * * *", "timezone": "Europe/Berlin"},
    }
)


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[AutomationStore]:
    if request.param == "memory":
        yield MemoryAutomationStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    made = MongoAutomationStore(mongo)
    await made.ensure_indexes()
    await made.ensure_indexes()
    yield made
    await mongo.close()


def stored(one: str, seq: int, status: Status = "active", edition: int = 1) -> StoredAutomation:
    state = ScheduleState(
        id=one,
        spec=SPEC,
        status=status,
        edition=edition,
        created_by=Actor(id="ann"),
        changed_at_ms=1_900_000_000_000,
    )
    return StoredAutomation(partition=3, seq=seq, state=state)


async def test_what_is_stored_is_read_back(store: AutomationStore) -> None:
    """Whole, whatever its parameters hold, by id and in the list."""
    assert (await store.load([])).states == {}
    assert await store.write([]) == frozenset()
    assert await store.write([stored("sc_2", 5), stored("sc_1", 6)]) == frozenset()
    assert await store.get("sc_1") == stored("sc_1", 6)
    assert (await store.load(["sc_2", "sc_9"])).states == {"sc_2": stored("sc_2", 5)}
    assert [one.state.id for one in await store.all("schedule")] == ["sc_1", "sc_2"]
    rule = RuleSpec(name="r", template_id="t", receiver="rc_1")
    state = RuleState(id="tr_1", spec=rule, seen={"k": 1})
    await store.write([StoredAutomation(partition=1, seq=1, state=state)])
    assert await store.ids_of("rc_1") == ["tr_1"]
    assert await store.ids_of("rc_2") == []
    assert [one.state for one in await store.all("rule")] == [state]
    assert [one.state.id for one in await store.all("schedule")] == ["sc_1", "sc_2"]
    assert await store.get("sc_9") is None
    assert await store.peek("sc_9") is None


async def test_a_higher_sequence_wins(store: AutomationStore) -> None:
    """A coordinator that has lost its partition undoes nothing, and is told."""
    await store.write([stored("sc_1", 5, edition=2)])
    assert await store.write([stored("sc_1", 4), stored("sc_2", 4)]) == {"sc_1"}
    assert await store.write([stored("sc_1", 5, edition=2)]) == frozenset()
    assert await store.get("sc_1") == stored("sc_1", 5, edition=2)
    assert await store.get("sc_2") is not None
    assert await store.write([stored("sc_1", 7, edition=3)]) == frozenset()
    assert await store.get("sc_1") == stored("sc_1", 7, edition=3)


async def test_what_was_deleted_is_not_seen_and_not_forgotten(store: AutomationStore) -> None:
    """Lists and `get` leave it out; coordinators load it, so that nothing late revives it."""
    await store.write([stored("sc_1", 5, status="deleted")])
    assert await store.get("sc_1") is None
    assert await store.all("schedule") == []
    assert (await store.load(["sc_1"])).states["sc_1"].state.status == "deleted"
    assert await store.peek("sc_1") == stored("sc_1", 5, status="deleted")


async def test_a_damaged_state_hides_no_other(mongo_url: str) -> None:
    """It is named with the reason, lists go on without it: in memory and in MongoDB."""
    memory = MemoryAutomationStore()
    mongo = Mongo(mongo_url)
    real = MongoAutomationStore(mongo)
    for store in (memory, real):
        await store.write([stored("sc_1", 1), stored("sc_2", 2)])
    memory.damage("sc_1")
    await mongo.database["automations"].update_one({"_id": "sc_1"}, {"$set": {"state": "{"}})
    for store in (memory, real):
        loaded = await store.load(["sc_1", "sc_2"])
        assert set(loaded.states) == {"sc_2"}
        assert set(loaded.unreadable) == {"sc_1"}
        assert [one.state.id for one in await store.all("schedule")] == ["sc_2"]
    await mongo.close()


async def test_writers_at_once(store: AutomationStore) -> None:
    """Whatever the order, the highest sequence stays."""
    await asyncio.gather(*(store.write([stored("sc_1", seq)]) for seq in range(1, 20)))
    found = await store.get("sc_1")
    assert found is not None
    assert found.seq == 19
