"""The archive: at every moment archive and live store together hold the newest state and all of
the history, whoever is cut off where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from shared.adapters.mongo.archive import MongoArchive
from shared.adapters.mongo.archiving import MongoArchiving
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.contracts.history import StoredState
from shared.memory.archive import MemoryArchive
from shared.memory.execution_store import MemoryExecutionStore
from shared.ports.archive import Archive, ArchiveQuery, Archiving
from shared.ports.executions import ExecutionQuery
from shared.ports.store import ExecutionStore, StateWrite
from shared.workflow.events import StepCompleted
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.messages import AttemptFinished, Failure
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState

S = ExecutionStatus


@dataclass(frozen=True)
class Rig:
    """A store, its archive, and ways to look into it and to cut somebody off."""

    store: ExecutionStore
    archive: Archive
    archiving: Archiving
    history: Callable[[str], Awaitable[Sequence[HistoryEntry]]]
    state_only: Callable[[str], Awaitable[None]]
    """Remove the live state alone, as whoever is killed right after that."""

    async def keep(self, execution_id: str, *seqs: int, **fields: Any) -> StoredState:
        stored = StoredState(partition=3, seq=seqs[-1], state=state(execution_id, **fields))
        await self.store.write([StateWrite(stored, tuple(map(entry, seqs)))])
        return stored

    async def live(self, execution_id: str) -> bool:
        """Whether the live store has anything of it."""
        return bool(await self.history(execution_id))

    async def whole(self, execution_id: str) -> list[int]:
        """The sequences of its history, archived and live, each once."""
        archived = await self.archive.get(execution_id)
        entries = [*(archived.history if archived else ()), *await self.history(execution_id)]
        return sorted({one.seq for one in entries})

    async def due(self, **fields: Any) -> list[str]:
        wanted = {"ended_before_ms": 0, "keep_last": 1_000, "settled_ms": 10**9, "limit": 100}
        return list(await self.archiving.due("t", **{**wanted, **fields}))

    async def ids(self, **fields: Any) -> list[str]:
        names = ("failure", "execution_id")
        own = {name: fields.pop(name) for name in names if name in fields}
        found = await self.archive.find(ArchiveQuery(ExecutionQuery(**fields), **own))
        return [one.id for one in found]

    async def move(self, *execution_ids: str, at_ms: int = 900) -> None:
        await self.archiving.finish(await self.archiving.copy(execution_ids, at_ms))


def state(execution_id: str, **fields: Any) -> ExecutionState:
    made: dict[str, Any] = {
        "template_id": "t",
        "template_version": "1.0.0",
        "category": "custom",
        "status": S.COMPLETED,
        "labels": {"a.b": "c"},
        "created_at_ms": 10,
        "ended_at_ms": 100,
        **fields,
    }
    return ExecutionState(execution_id=execution_id, **made)


def entry(seq: int) -> HistoryEntry:
    output = {"text": f"entry {seq} \x00 é"}
    message = AttemptFinished(step="a", attempt=1, outcome="succeeded", output=output)
    return HistoryEntry(
        seq=seq, at_ms=seq, message=message, events=(StepCompleted(step="a", attempt=1, output={}),)
    )


@pytest.fixture(params=["memory", "mongo"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        yield _memory_rig()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    archiving = MongoArchiving(mongo)
    await archiving.ensure_indexes()
    queries = MongoExecutionQueries(mongo)

    async def state_only(execution_id: str) -> None:
        await mongo.database["executions"].delete_one({"_id": execution_id})

    store = MongoExecutionStore(mongo)
    yield Rig(store, MongoArchive(mongo), archiving, queries.history, state_only)
    await mongo.close()


def _memory_rig() -> Rig:
    store = MemoryExecutionStore()
    archive = MemoryArchive(store)

    async def history(execution_id: str) -> Sequence[HistoryEntry]:
        return store.history(execution_id)

    async def state_only(execution_id: str) -> None:
        store.forget_state(execution_id)

    return Rig(store, archive, archive, history, state_only)


class TestDue:
    async def test_by_age(self, rig: Rig) -> None:
        """Those that ended before the time, oldest first, by batches; what runs is never due."""
        for n, ended in enumerate((300, 100, 200)):
            await rig.keep(f"ex_{n}", 1, ended_at_ms=ended, created_at_ms=ended - 50)
        await rig.keep("ex_runs", 1, status=S.RUNNING, ended_at_ms=0)
        assert await rig.due(ended_before_ms=300) == ["ex_1", "ex_2"]
        assert await rig.due(ended_before_ms=301, limit=2) == ["ex_1", "ex_2"]
        assert await rig.due(ended_before_ms=100) == []
        assert (
            await rig.archiving.due(
                "other", ended_before_ms=10**9, keep_last=1, settled_ms=10**9, limit=9
            )
            == []
        )

    async def test_by_count(self, rig: Rig) -> None:
        """Beyond the newest so many of a template, unless they ended only a moment ago."""
        for n in range(6):
            await rig.keep(f"ex_{n}", 1, created_at_ms=10 + n, ended_at_ms=100 + n)
        await rig.keep("ex_x", 1, created_at_ms=1, status=S.WAITING, ended_at_ms=0)
        assert await rig.due(keep_last=4) == ["ex_0", "ex_1"]
        assert await rig.due(keep_last=4, settled_ms=101) == ["ex_0"]
        assert await rig.due(keep_last=7) == []

    async def test_templates_of_both(self, rig: Rig) -> None:
        """Every template that has executions, live or archived."""
        await rig.keep("ex_1", 1, template_id="b")
        await rig.keep("ex_2", 1, template_id="a")
        await rig.move("ex_2")
        assert list(await rig.archiving.templates()) == ["a", "b"]


class TestMoving:
    async def test_what_is_archived_is_whole(self, rig: Rig) -> None:
        """State and history come back as they were, and nothing is left in the live store."""
        stored = await rig.keep("ex_1", 1, 2, 5)
        await rig.move("ex_1")
        found = await rig.archive.get("ex_1")
        assert found is not None
        assert (found.stored, found.archived_at_ms) == (stored, 900)
        assert list(found.history) == [entry(n) for n in (1, 2, 5)]
        assert not await rig.live("ex_1")
        assert await rig.archive.archived_at_ms("ex_1") == 900
        assert await rig.archive.archived_at_ms("ex_2") == 0
        assert await rig.archive.get("ex_2") is None
        assert await rig.archiving.unfinished(10) == []
        assert await rig.archiving.count() == 1

    async def test_what_runs_is_not_archived(self, rig: Rig) -> None:
        """Whoever asks for it by a list that is out of date gets nothing."""
        await rig.keep("ex_1", 1, status=S.RUNNING)
        assert list(await rig.archiving.copy(["ex_1", "ex_none"], 900)) == []
        assert await rig.live("ex_1")

    @pytest.mark.parametrize("cut_off", ["copied", "state removed"])
    async def test_a_crash_between_the_two_loses_nothing(self, rig: Rig, cut_off: str) -> None:
        """Cut off after the copy, or with the live state removed and its history not: all of it is
        there, the state is found, and the next one finishes it."""
        stored = await rig.keep("ex_1", 1, 2, 5)
        await rig.archiving.copy(["ex_1"], 900)
        if cut_off == "state removed":
            await rig.state_only("ex_1")
        assert await rig.whole("ex_1") == [1, 2, 5]
        assert (await rig.store.load(["ex_1"])).states == {"ex_1": stored}
        assert await rig.archiving.unfinished(10) == ["ex_1"]
        await rig.archiving.finish(["ex_1"])
        await rig.archiving.finish(["ex_1"])
        assert await rig.archiving.unfinished(10) == []
        assert not await rig.live("ex_1")
        assert await rig.whole("ex_1") == [1, 2, 5]

    async def test_several_at_once(self, rig: Rig) -> None:
        """Two that both believe to hold the lease archive the same: everything is there once."""
        ids = [f"ex_{n}" for n in range(20)]
        for execution_id in ids:
            await rig.keep(execution_id, 1, 2)
        await asyncio.gather(rig.move(*ids), rig.move(*ids[::-1]), rig.move(*ids[5:]))
        await rig.archiving.finish(await rig.archiving.unfinished(100))
        for execution_id in ids:
            assert await rig.whole(execution_id) == [1, 2]
            assert not await rig.live(execution_id)

    async def test_what_is_told_between_copy_and_removal_stays(self, rig: Rig) -> None:
        """A late message makes a newer state while the old one is being archived: the newer one
        stays live, with all of the history, and is archived later with all of it."""
        await rig.keep("ex_1", 1, 2)
        await rig.archiving.copy(["ex_1"], 900)
        newer = await rig.keep("ex_1", 3)
        await rig.archiving.finish(["ex_1"])
        assert (await rig.store.load(["ex_1"])).states == {"ex_1": newer}
        assert await rig.whole("ex_1") == [1, 2, 3]
        await rig.move("ex_1", at_ms=950)
        found = await rig.archive.get("ex_1")
        assert found is not None
        assert ([e.seq for e in found.history], found.stored.seq) == ([1, 2, 3], 3)
        assert not await rig.live("ex_1")

    async def test_what_is_told_after_it_was_archived(self, rig: Rig) -> None:
        """The store gives the archived state, so that what follows goes on from it; the next copy
        has both parts of the history."""
        stored = await rig.keep("ex_1", 1, 2)
        await rig.move("ex_1")
        assert (await rig.store.load(["ex_1", "ex_2"])).states == {"ex_1": stored}
        await rig.keep("ex_1", 7)
        assert await rig.whole("ex_1") == [1, 2, 7]
        await rig.move("ex_1")
        found = await rig.archive.get("ex_1")
        assert found is not None
        assert [e.seq for e in found.history] == [1, 2, 7]

    async def test_a_copy_that_comes_too_late_changes_nothing(self, rig: Rig) -> None:
        """Of an execution that was archived with a newer state an older one is not taken: whoever
        stored it was far behind, and it goes."""
        await rig.keep("ex_1", 1, 2, 9)
        await rig.move("ex_1")
        await rig.keep("ex_1", 3)
        assert list(await rig.archiving.copy(["ex_1"], 950)) == []
        found = await rig.archive.get("ex_1")
        assert found is not None
        assert found.stored.seq == 9
        assert not await rig.live("ex_1")
        assert await rig.whole("ex_1") == [1, 2, 9]

    async def test_a_large_history(self, rig: Rig) -> None:
        """More than one document can hold, also compressed."""
        big = [
            HistoryEntry(
                seq=seq,
                at_ms=seq,
                message=AttemptFinished(
                    step="a", attempt=1, outcome="succeeded", output={"x": _noise(seq)}
                ),
                events=(),
            )
            for seq in range(1, 7)
        ]
        stored = StoredState(partition=3, seq=6, state=state("ex_1"))
        await rig.store.write([StateWrite(stored, tuple(big))])
        await rig.move("ex_1")
        found = await rig.archive.get("ex_1")
        assert found is not None
        assert list(found.history) == big


def _noise(seed: int) -> str:
    """Text that does not compress well."""
    import random

    return random.Random(seed).randbytes(2_000_000).hex()


class TestFinding:
    async def test_by_everything_that_is_searched(self, rig: Rig) -> None:
        """Template, status, time, label, text of a failure, and pages, newest first."""
        failed = {"status": S.FAILED, "failure": Failure(code="exit_1", message="Disk (full) 95%")}
        await rig.keep("ex_1", 1, created_at_ms=1)
        await rig.keep("ex_2", 1, created_at_ms=2, **failed)
        await rig.keep("ex_3", 1, created_at_ms=3, template_id="u", labels={"team": "web"})
        await rig.keep("ex_live", 1, created_at_ms=4)
        await rig.move("ex_1", "ex_2", "ex_3")
        assert await rig.ids() == ["ex_3", "ex_2", "ex_1"]
        assert await rig.ids(template_id="u") == ["ex_3"]
        assert await rig.ids(statuses=("failed",)) == ["ex_2"]
        assert await rig.ids(label=("team", "web")) == ["ex_3"]
        assert await rig.ids(since_ms=2, until_ms=2) == ["ex_2"]
        assert await rig.ids(failure="disk (FULL)") == ["ex_2"]
        assert await rig.ids(failure="disk .full") == []
        assert await rig.ids(execution_id="ex_1") == ["ex_1"]
        assert await rig.ids(limit=2) == ["ex_3", "ex_2"]
        assert await rig.ids(before=(2, "ex_2")) == ["ex_1"]
        (found,) = await rig.archive.find(ArchiveQuery(ExecutionQuery(statuses=("failed",))))
        assert (found.failure, found.archived_at_ms) == ("exit_1: Disk (full) 95%", 900)
        assert (found.status, found.ended_at_ms, found.duration_ms) == ("failed", 100, 98)


class TestDeleting:
    async def test_after_their_own_time(self, rig: Rig) -> None:
        """Those of a template that ended before a time, oldest first; nothing of them is left, and
        others stay."""
        for n in range(3):
            await rig.keep(f"ex_{n}", 1, ended_at_ms=100 * (3 - n))
        await rig.keep("ex_u", 1, template_id="u", ended_at_ms=1)
        await rig.move("ex_0", "ex_1", "ex_2", "ex_u")
        old = await rig.archiving.expired("t", 300, 10)
        assert list(old) == ["ex_2", "ex_1"]
        assert list(await rig.archiving.expired("t", 300, 1)) == ["ex_2"]
        assert await rig.archiving.delete(old) == 2
        assert await rig.archiving.delete(old) == 0
        assert await rig.ids() == ["ex_u", "ex_0"]
        assert await rig.archive.get("ex_1") is None
        assert (await rig.store.load(["ex_1"])).states == {}

    async def test_what_is_live_again_is_not_deleted(self, rig: Rig) -> None:
        """Its older history is in the archive."""
        await rig.keep("ex_1", 1, 2)
        await rig.move("ex_1")
        await rig.keep("ex_1", 7)
        assert await rig.archiving.delete(["ex_1"]) == 0
        assert await rig.whole("ex_1") == [1, 2, 7]
