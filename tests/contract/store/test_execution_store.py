"""The store of states and histories: the newest state wins, history has no gap and no doubles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.contracts.history import Quarantined, StoredState
from shared.memory.execution_store import MemoryExecutionStore
from shared.ports.store import ExecutionStore, StateWrite
from shared.workflow.events import StepCompleted
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import AttemptFinished
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState, StepState

WEIRD: dict[str, Any] = {
    "a.b": {"$set": {"": None}, "$": [[], {}]},
    "_id": 1,
    "nul\x00key": "a\x00b",
    "big": 10**40,
    "small": -(2**63) - 1,
    "float": 1e300,
    "true": True,
    "emoji": "\U0001f600\u2028",
}


@dataclass(frozen=True)
class StoreRig:
    """A store, and ways to look into it from outside."""

    store: ExecutionStore
    history: Callable[[str], Awaitable[Sequence[HistoryEntry]]]
    quarantined: Callable[[], Awaitable[int]]
    damage: Callable[[str], Awaitable[None]]


@pytest.fixture(params=["memory", "mongo"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[StoreRig]:
    if request.param == "memory":
        yield _memory_rig()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    store = MongoExecutionStore(mongo)
    await store.ensure_indexes()
    await store.ensure_indexes()
    queries = MongoExecutionQueries(mongo)

    async def quarantined() -> int:
        return await mongo.database["quarantine"].count_documents({})

    async def damage(execution_id: str) -> None:
        await mongo.database["executions"].update_one(
            {"_id": execution_id}, {"$set": {"state": "{"}}
        )

    yield StoreRig(store, queries.history, quarantined, damage)
    await mongo.close()


def _memory_rig() -> StoreRig:
    store = MemoryExecutionStore()

    async def history(execution_id: str) -> Sequence[HistoryEntry]:
        return store.history(execution_id)

    async def quarantined() -> int:
        return len(store.quarantined)

    async def damage(execution_id: str) -> None:
        store.damage(execution_id)

    return StoreRig(store, history, quarantined, damage)


def stored(
    seq: int, execution_id: str = "ex_1", output: dict[str, Any] | None = None
) -> StoredState:
    step = StepState(status=StepStatus.COMPLETED, attempt=1, output=output or {})
    state = ExecutionState(
        execution_id=execution_id,
        template_id="t",
        template_version="1.0.0",
        category="custom",
        version=seq,
        parameters=output or {},
        labels={"a.b": "c", "$x": "y", "nul\x00": "z"},
        steps={"a": step},
        created_at_ms=1,
    )
    return StoredState(partition=3, seq=seq, state=state)


def entry(seq: int, output: dict[str, Any] | None = None) -> HistoryEntry:
    message = AttemptFinished(step="a", attempt=1, outcome="succeeded", output=output or {})
    completed = StepCompleted(step="a", attempt=1, output=output or {})
    return HistoryEntry(seq=seq, at_ms=seq, message=message, events=(completed,))


def write(seq: int, *entries: int, execution_id: str = "ex_1") -> StateWrite:
    return StateWrite(stored(seq, execution_id), tuple(entry(number) for number in entries))


class TestStates:
    async def test_what_was_written_is_loaded(self, rig: StoreRig) -> None:
        """Of the ids asked for, those that exist come, as they were written."""
        assert await rig.store.write([write(5, 4, 5), write(9, 9, execution_id="ex_2")]) == set()
        found = (await rig.store.load(["ex_1", "ex_2", "ex_3"])).states
        assert found == {"ex_1": stored(5), "ex_2": stored(9, "ex_2")}
        assert (await rig.store.load([])).states == {}

    async def test_nothing_to_write_is_no_error(self, rig: StoreRig) -> None:
        """An empty write changes nothing."""
        assert await rig.store.write([]) == set()

    async def test_a_higher_sequence_replaces(self, rig: StoreRig) -> None:
        """The newest state is kept."""
        await rig.store.write([write(5, 5)])
        assert await rig.store.write([write(7, 7)]) == set()
        assert (await rig.store.load(["ex_1"])).states == {"ex_1": stored(7)}

    async def test_a_lower_sequence_is_refused_and_told(self, rig: StoreRig) -> None:
        """A coordinator that fell behind undoes nothing, and learns of it; others are written."""
        await rig.store.write([write(7, 7)])
        superseded = await rig.store.write([write(5, 5), write(6, 6, execution_id="ex_2")])
        assert superseded == {"ex_1"}
        found = (await rig.store.load(["ex_1", "ex_2"])).states
        assert found == {"ex_1": stored(7), "ex_2": stored(6, "ex_2")}

    async def test_the_same_write_again_is_no_error(self, rig: StoreRig) -> None:
        """A write whose answer was lost may be tried again."""
        for _ in range(2):
            assert (
                await rig.store.write([write(5, 4, 5), write(3, 3, execution_id="ex_2")]) == set()
            )
        assert (await rig.store.load(["ex_1"])).states == {"ex_1": stored(5)}

    async def test_any_json_survives(self, rig: StoreRig) -> None:
        """Outputs with any keys, large integers and NUL come back as they were."""
        await rig.store.write([StateWrite(stored(5, output=WEIRD), (entry(5, WEIRD),))])
        assert (await rig.store.load(["ex_1"])).states["ex_1"] == stored(5, output=WEIRD)
        assert list(await rig.history("ex_1")) == [entry(5, WEIRD)]

    async def test_a_damaged_state_hides_no_other(self, rig: StoreRig) -> None:
        """A state that cannot be read is told by its id and reason; the others come as ever."""
        await rig.store.write([write(5, 5), write(6, 6, execution_id="ex_2")])
        await rig.damage("ex_1")
        loaded = await rig.store.load(["ex_1", "ex_2"])
        assert loaded.states == {"ex_2": stored(6, "ex_2")}
        assert set(loaded.unreadable) == {"ex_1"}
        assert loaded.unreadable["ex_1"]

    async def test_many_at_once(self, rig: StoreRig) -> None:
        """A large write, and two that overlap, leave every state at its highest sequence."""
        ids = [f"ex_{number}" for number in range(600)]
        older = [write(5, 5, execution_id=i) for i in ids]
        newer = [write(8, 8, execution_id=i) for i in ids]
        await asyncio.gather(rig.store.write(older), rig.store.write(newer))
        assert {s.seq for s in (await rig.store.load(ids)).states.values()} == {8}


class TestHistory:
    async def test_entries_come_back_in_order(self, rig: StoreRig) -> None:
        """Several writes make one history."""
        await rig.store.write([write(2, 1, 2)])
        await rig.store.write([write(12, 10, 12)])
        assert list(await rig.history("ex_1")) == [entry(n) for n in (1, 2, 10, 12)]

    async def test_a_state_without_new_entries_may_be_written(self, rig: StoreRig) -> None:
        """No entries, no history."""
        assert await rig.store.write([write(5)]) == set()
        assert list(await rig.history("ex_1")) == []

    @pytest.mark.parametrize("again", [(5, 6, 7, 8), (5,), (6, 7, 8), (4, 5, 6, 7, 8)])
    async def test_a_replay_cut_differently_leaves_no_gap(
        self, rig: StoreRig, again: tuple[int, ...]
    ) -> None:
        """After a crash the same entries come again with more or fewer behind them: each once."""
        await rig.store.write([write(6, 5, 6)])
        await rig.store.write([write(8, *again)])
        wanted = sorted({5, 6, *again})
        assert list(await rig.history("ex_1")) == [entry(number) for number in wanted]

    async def test_large_entries_of_one_write_are_all_kept(self, rig: StoreRig) -> None:
        """More than one document can hold, in one write."""
        output = {"text": "x" * 1_500_000}
        entries = tuple(entry(seq, output) for seq in range(1, 8))
        assert await rig.store.write([StateWrite(stored(7), entries)]) == set()
        assert list(await rig.history("ex_1")) == list(entries)

    async def test_an_entry_that_no_document_can_hold(self, rig: StoreRig) -> None:
        """Tens of megabytes decided at once are kept whole, between others, also when they are
        written twice."""
        huge = entry(2, {f"k{n}": "\u00e9x" * 1_000_000 for n in range(10)})
        writes = [StateWrite(stored(3), (entry(1), huge, entry(3)))]
        for _ in range(2):
            assert await rig.store.write(writes) == set()
        assert list(await rig.history("ex_1")) == [entry(1), huge, entry(3)]
        await rig.store.write([write(4, 4)])
        assert [e.seq for e in await rig.history("ex_1")] == [1, 2, 3, 4]


class TestQuarantine:
    async def test_a_message_is_kept_once(self, rig: StoreRig) -> None:
        """By execution and sequence, whatever its bytes."""
        bad = Quarantined(
            execution_id="ex_1", partition=3, seq=7, at_ms=1, reason="no", payload="\x00{\ufffd"
        )
        for message in (bad, bad, bad.model_copy(update={"seq": 8})):
            await rig.store.quarantine(message)
        assert await rig.quarantined() == 2
