"""What has not come to its end, as the store tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from shared.adapters.mongo.backlog import MongoBacklog
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.contracts.history import Quarantined, StoredState
from shared.memory.backlog import MemoryBacklog
from shared.memory.execution_store import MemoryExecutionStore
from shared.ports.backlog import OPEN, Backlog, OpenExecutions
from shared.ports.store import ExecutionStore, StateWrite
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.state import ExecutionState


@dataclass(frozen=True)
class BacklogRig:
    """A store and the backlog in it."""

    store: ExecutionStore
    backlog: Backlog

    async def keep(self, execution_id: str, status: ExecutionStatus, created_at_ms: int) -> None:
        state = ExecutionState(
            execution_id=execution_id,
            template_id="t",
            template_version="1.0.0",
            category="custom",
            version=1,
            parameters={},
            steps={},
            status=status,
            created_at_ms=created_at_ms,
        )
        await self.store.write([StateWrite(StoredState(partition=0, seq=1, state=state), ())])


@pytest.fixture(params=["memory", "mongo"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[BacklogRig]:
    if request.param == "memory":
        memory = MemoryExecutionStore()
        yield BacklogRig(memory, MemoryBacklog(memory))
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    store = MongoExecutionStore(mongo)
    await store.ensure_indexes()
    yield BacklogRig(store, MongoBacklog(mongo))
    await mongo.close()


class TestBacklog:
    async def test_nothing_is_open(self, rig: BacklogRig) -> None:
        """Every open status is told, also where nothing has it."""
        assert await rig.backlog.open_executions() == dict.fromkeys(OPEN, OpenExecutions())
        assert await rig.backlog.quarantined() == 0

    async def test_counts_and_oldest_by_status(self, rig: BacklogRig) -> None:
        """Of each open status the number and the oldest; what has ended does not count."""
        await rig.keep("ex_1", ExecutionStatus.RUNNING, 3_000)
        await rig.keep("ex_2", ExecutionStatus.RUNNING, 2_000)
        await rig.keep("ex_3", ExecutionStatus.WAITING, 1_000)
        await rig.keep("ex_4", ExecutionStatus.COMPLETED, 500)
        found = await rig.backlog.open_executions()
        assert found[ExecutionStatus.RUNNING] == OpenExecutions(2, 2_000)
        assert found[ExecutionStatus.WAITING] == OpenExecutions(1, 1_000)
        assert found[ExecutionStatus.PENDING] == OpenExecutions()
        assert ExecutionStatus.COMPLETED not in found

    async def test_quarantined_stay_counted(self, rig: BacklogRig) -> None:
        """Each message that was put aside counts once."""
        for seq in (4, 5, 5):
            message = Quarantined(
                execution_id="ex_1", partition=0, seq=seq, at_ms=1, reason="no sense", payload="{}"
            )
            await rig.store.quarantine(message)
        assert await rig.backlog.quarantined() == 2
