"""What is open, by the index of status and age: states are not read."""

from __future__ import annotations

from collections.abc import Mapping

from pymongo import ASCENDING

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.quarantine import WAITING
from shared.ports.backlog import COUNT_LIMIT, OPEN, OpenExecutions
from shared.workflow.machines.execution import ExecutionStatus


class MongoBacklog:
    """Reads of the collections `executions` and `quarantine`."""

    def __init__(self, mongo: Mongo) -> None:
        self._executions = mongo.database["executions"]
        self._quarantine = mongo.database["quarantine"]

    async def open_executions(self) -> Mapping[ExecutionStatus, OpenExecutions]:
        """For every open status, also where there are none."""
        return {status: await self._of(status) for status in OPEN}

    async def quarantined(self) -> int:
        """Messages that were put aside and wait."""
        return int(await self._quarantine.count_documents(WAITING, limit=COUNT_LIMIT))

    async def _of(self, status: ExecutionStatus) -> OpenExecutions:
        wanted = {"status": status.value}
        oldest = await self._executions.find_one(
            wanted, {"_id": 0, "created_at_ms": 1}, sort=[("created_at_ms", ASCENDING)]
        )
        if oldest is None:
            return OpenExecutions()
        count = await self._executions.count_documents(wanted, limit=COUNT_LIMIT)
        return OpenExecutions(int(count), int(oldest["created_at_ms"]))
