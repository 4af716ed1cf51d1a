"""A world of executors: templates in, requests in, states out, on servers that can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from ops.stack.servers import EmbeddedServers
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.leases import NatsLeases
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts import subjects
from shared.ports.templates import StoredTemplate
from shared.runtime.clock import TimeSortedIds
from shared.templates.content import content_hash
from shared.workflow.definition import Template
from shared.workflow.messages import CancelRequested, ExecutionRequested
from shared.workflow.replay import fold
from shared.workflow.state import ExecutionState, StepState
from tests.integration.executor.processes import PATIENCE_S, ExecutorProcess

POLL_S = 0.05
REFUSED = "permissions violation"
"""What the log of a process says when NATS did not let it do something."""
Steps = list[dict[str, Any]]


@dataclass
class World:
    """Servers, the doors to them, and the executors that were started."""

    servers: EmbeddedServers
    home: Path
    bus: Bus
    mongo: Mongo
    journal: NatsJournal
    executors: dict[str, ExecutorProcess] = field(default_factory=dict)
    ids: TimeSortedIds = field(default_factory=TimeSortedIds)

    @property
    def queries(self) -> MongoExecutionQueries:
        """What is stored of executions."""
        return MongoExecutionQueries(self.mongo)

    @property
    def directory(self) -> NatsAgentDirectory:
        """The live agents."""
        return NatsAgentDirectory(self.bus)

    async def executor(self, name: str, **settings: object) -> ExecutorProcess:
        """Start an executor process (role `both`, unless told otherwise)."""
        process = ExecutorProcess(self.servers, self.home, name, **settings)
        self.executors[name] = process
        await process.start()
        return process

    async def template(self, template_id: str, steps: Steps, **rest: Any) -> str:
        """Store a template; gives its id."""
        model = Template.model_validate(
            {"id": template_id, "name": template_id, "steps": steps, **rest}
        )
        await MongoTemplateStore(self.mongo).put(StoredTemplate(model, content_hash(model), 0))
        return template_id

    async def request(
        self, template_id: str, execution_id: str = "", message_id: str = "", **parameters: Any
    ) -> str:
        """Ask for an execution; gives its id."""
        execution = execution_id or self.ids.execution_id()
        wanted = ExecutionRequested(
            template_id=template_id, template_version="1.0.0", parameters=parameters
        )
        await self.journal.append(execution, wanted, message_id or f"req.{execution}")
        return execution

    async def start(self, template_id: str, steps: Steps, **rest: Any) -> str:
        """Store a template and ask for one execution of it."""
        return await self.request(await self.template(template_id, steps, **rest))

    async def run(self, template_id: str, steps: Steps, **rest: Any) -> ExecutionState:
        """Store a template, run it, give its end."""
        return await self.ended(await self.start(template_id, steps, **rest))

    async def cancel(self, execution: str) -> None:
        """Ask for its end."""
        await self.journal.append(execution, CancelRequested(), f"cancel.{execution}")

    async def ended(self, execution: str) -> ExecutionState:
        """Wait for the end, and check that the stored state is the fold of the history."""
        state = await self.state_when(execution, lambda state: state.ended)
        assert fold(execution, await self.history(execution)) == state
        return state

    async def all_ended(self, executions: list[str]) -> list[ExecutionState]:
        """Wait for the end of each."""
        return [await self.ended(execution) for execution in executions]

    async def history(self, execution: str) -> Any:
        """All that happened to an execution."""
        return await self.queries.history(execution, limit=100_000)

    async def state_when(
        self, execution: str, holds: Callable[[ExecutionState], bool]
    ) -> ExecutionState:
        """Wait until the stored state is as wanted."""
        state: ExecutionState | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (state := await self.queries.get(execution)) is None or not holds(state):  # noqa: ASYNC110 - another process changes it
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"{execution} stays {described(state)}") from None
        return state

    async def step_when(self, execution: str, step: str, *statuses: str) -> StepState:
        """Wait until a step has one of these statuses."""
        state = await self.state_when(execution, lambda s: s.steps[step].status in statuses)
        return state.steps[step]

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for anything else."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await holds():  # noqa: ASYNC110 - other processes change it
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"not in time: {what}") from None

    async def partitions(self) -> Mapping[str, int]:
        """How many partitions each coordinator holds, by agent name."""
        holders = await NatsLeases(self.bus).holders()
        counts: dict[str, int] = {}
        for name, owner in holders.items():
            if name.startswith("partition."):
                agent = owner.rpartition("-")[0]
                counts[agent] = counts.get(agent, 0) + 1
        return counts

    async def hold(self, shares: Mapping[str, int]) -> None:
        """Wait until the partitions are held so."""

        async def so() -> bool:
            return await self.partitions() == shares

        await self.until(so, f"partitions held as {shares}")

    async def publish_raw(self, execution: str, payload: bytes) -> None:
        """Put any bytes into an execution's journal."""
        partition = subjects.partition_of(execution)
        await self.bus.jetstream.publish(subjects.journal(partition, execution), payload)


def described(state: ExecutionState | None) -> str:
    """Where an execution stands, for the message of a failed test."""
    if state is None:
        return "unknown"
    steps = ", ".join(f"{n}={s.status.value} {s.reason}" for n, s in state.steps.items())
    return f"{state.status.value}: {steps[:2_000]}"


def shell(step: str, script: str, **rest: Any) -> dict[str, Any]:
    """A step that runs a script."""
    parameters = {"script": script, **rest.pop("parameters", {})}
    made = {"id": step, "command": "shell", "timeout_s": 60, "parameters": parameters}
    return {**made, **rest}


def noop(step: str, echo: Any = None, **rest: Any) -> dict[str, Any]:
    """A step that gives its value back."""
    return {"id": step, "command": "noop", "parameters": {"echo": echo}, **rest}


def _clear_mongo(servers: EmbeddedServers) -> None:
    with MongoClient[dict[str, Any]](servers.mongo_admin_url("hive")) as client:
        client.drop_database("hive")


async def _clear_streams(bus: Bus) -> None:
    for info in await bus.jetstream.streams_info():
        await bus.jetstream.delete_stream(info.config.name or "")


@asynccontextmanager
async def new_world(servers: EmbeddedServers, home: Path) -> AsyncIterator[World]:
    """An empty world; at its end everything that it started is stopped."""
    await asyncio.to_thread(_clear_mongo, servers)
    bus = await connect(servers.nats_url("admin"), "executor test")
    await _clear_streams(bus)
    await ensure_streams(bus)
    publisher = Publisher(bus, grouped=False)
    await publisher.start()
    mongo = Mongo(servers.mongo_url, journaled=False)
    world = World(servers, home, bus, mongo, NatsJournal(publisher))
    try:
        yield world
    finally:
        await asyncio.gather(*(executor.kill() for executor in world.executors.values()))
        refused = [name for name, it in world.executors.items() if REFUSED in it.text().lower()]
        await publisher.close()
        await bus.close()
        await mongo.close()
    assert refused == [], "NATS refused what these needed; their logs tell what"
