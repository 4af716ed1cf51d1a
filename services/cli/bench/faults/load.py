"""Requests through the gateway, each until it is accepted, and what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import httpx

from services.cli.bench.faults.ledger import TEMPLATE
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.outages import outage_of
from shared.workflow.state import ExecutionState

AGAIN_S: Final = 0.3
POLL_S: Final = 0.25


@dataclass
class Load:
    """Asks for workflows at an even pace; `accepted` is what the gateway has answered 202 for."""

    client: httpx.AsyncClient
    per_s: float
    accepted: list[str] = field(default_factory=list)
    tried_again: int = 0
    _numbers: int = 0

    async def run(self) -> None:
        """Ask until cancelled; requests overlap while the gateway waits for a server."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._one())
                await asyncio.sleep(1 / self.per_s)

    async def _one(self) -> None:
        self.accepted.append(await self.ask(TEMPLATE))

    async def ask(self, template: str) -> str:
        """Ask for one execution until it is accepted, under one key; gives its id."""
        self._numbers += 1
        key = f"fault-{self._numbers}"
        while True:
            execution = await self._try(template, key)
            if execution is not None:
                return execution
            self.tried_again += 1
            await asyncio.sleep(AGAIN_S)

    async def _try(self, template: str, key: str) -> str | None:
        try:
            answer = await self.client.post(
                "/api/v1/workflows/execute",
                json={"template_id": template},
                headers={"Idempotency-Key": key},
            )
        except httpx.TransportError:
            return None
        if answer.status_code == httpx.codes.ACCEPTED:
            return str(answer.json()["execution_id"])
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return None
        raise RuntimeError(f"the gateway refuses the load: {answer.status_code} {answer.text}")


class Endings:
    """Looks in the database whether executions have ended."""

    def __init__(self, mongo: Mongo) -> None:
        self.queries = MongoExecutionQueries(mongo)

    async def wait(self, executions: Collection[str]) -> list[ExecutionState]:
        """Wait for the end of each, however long the database is away; gives their states."""
        ended: dict[str, ExecutionState] = {}
        while open_now := [e for e in executions if e not in ended]:
            for execution in open_now:
                state = await self.state(execution)
                if state is None or not state.ended:
                    await asyncio.sleep(POLL_S)
                    break
                ended[execution] = state
        return list(ended.values())

    async def state(self, execution: str) -> ExecutionState | None:
        """What is stored of one; nothing while the database is away."""
        try:
            return await self.queries.get(execution)
        except Exception as error:
            if outage_of(error) is None:
                raise
            return None
