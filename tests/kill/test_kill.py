"""kill -9 of every kind of process during 200 running workflows of five real steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.stack.servers import EmbeddedServers, embedded_servers
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.execution_queries import MongoExecutionQueries
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.adapters.nats.connection import connect
from shared.adapters.nats.journal import NatsJournal
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.memory.bus import DUPLICATES_MS
from shared.ports.templates import StoredTemplate
from shared.runtime.clock import TimeSortedIds
from shared.templates.content import content_hash
from shared.workflow.messages import ExecutionRequested
from shared.workflow.replay import fold
from shared.workflow.state import ExecutionState
from tests.integration.executor.processes import ExecutorProcess
from tests.kill import ledger

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.timeout(300)]

WORKFLOWS = 200
PATIENCE_S = 180.0


@dataclass
class World:
    """Everything that runs, and what was asked of it."""

    servers: EmbeddedServers
    executors: list[ExecutorProcess]
    queries: MongoExecutionQueries
    ledger: Path
    executions: list[str]

    async def states(self) -> list[ExecutionState]:
        """The stored states of all executions."""
        found = [await self.queries.get(execution) for execution in self.executions]
        return [state for state in found if state is not None]

    async def progress(self, ended_share: float) -> None:
        """Wait until that share of the steps has left its mark."""
        wanted = ended_share * WORKFLOWS * ledger.STEPS
        while not self.ledger.exists() or len(ledger.effects(self.ledger)) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def all_ended(self) -> list[ExecutionState]:
        """Wait until every execution is in a final state."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            states = await self.states()
            if len(states) == WORKFLOWS and all(state.ended for state in states):
                return states
            assert asyncio.get_running_loop().time() < deadline, _what_is_open(states)
            await asyncio.sleep(0.5)


def _what_is_open(states: list[ExecutionState]) -> str:
    still = [
        f"{state.execution_id} {state.status}: "
        + ", ".join(f"{i}={s.status}/{s.attempt}.{s.leg}" for i, s in state.steps.items())
        for state in states
        if not state.ended
    ]
    return f"{len(states)} stored, {len(still)} open:\n" + "\n".join(still[:10])


@asynccontextmanager
async def running_world(home: Path, roles: list[str]) -> AsyncIterator[World]:
    """Real servers, one executor for each role, and 200 workflows under way."""
    with embedded_servers(home / "servers", durability="relaxed") as servers:
        executors = [
            ExecutorProcess(servers, home, f"agent-{number}", role=role, agent_slots=16)
            for number, role in enumerate(roles)
        ]
        bus = await connect(servers.nats_url("admin"), "kill test")
        await ensure_streams(bus)
        publisher = Publisher(bus, grouped=False)
        await publisher.start()
        mongo = Mongo(servers.mongo_url)
        book = home / "ledger"
        world = World(servers, executors, MongoExecutionQueries(mongo), book, [])
        template = ledger.template(book)
        await MongoTemplateStore(mongo).put(StoredTemplate(template, content_hash(template), 0))
        try:
            for executor in executors:
                await executor.start()
            world.executions = await _request_all(NatsJournal(publisher))
            yield world
        finally:
            for executor in executors:
                await executor.stop()
            await publisher.close()
            await bus.close()
            await mongo.close()


async def _request_all(journal: NatsJournal) -> list[str]:
    ids = TimeSortedIds()
    executions = [ids.execution_id() for _ in range(WORKFLOWS)]
    for execution in executions:
        request = ExecutionRequested(template_id="ledger", template_version="1.0.0")
        await journal.append(execution, request, f"req.{execution}")
    return executions


async def check(world: World, states: list[ExecutionState]) -> None:
    """The four promises, on the ledger and on the store."""
    done = ledger.effects(world.ledger)
    for state in states:
        for step_id, step in state.steps.items():
            times = done[state.execution_id, step_id]
            if step_id in ledger.IDEMPOTENT:
                assert times >= 1, f"{state.execution_id} {step_id} never ran"
            else:
                assert times <= 1, f"{state.execution_id} {step_id} ran {times} times"
            if step.status == "completed":
                assert times >= 1, f"{state.execution_id} {step_id} completed without a trace"
        history = await world.queries.history(state.execution_id)
        assert fold(state.execution_id, history) == state


async def kill_an_executor(world: World) -> None:
    """A coordinator and its runner die together, and come back a little later."""
    await world.executors[0].kill()
    await asyncio.sleep(3)
    await world.executors[0].start()


async def kill_a_runner(world: World) -> None:
    """A process that only runs commands dies in the middle of them and never comes back."""
    await world.executors[2].kill()


async def kill_nats(world: World) -> None:
    """The message bus dies and is started again on its data."""
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(world.servers.nats.restart)


async def kill_mongo(world: World) -> None:
    """The database dies and is started again on its data."""
    await asyncio.to_thread(world.servers.mongo.kill)
    await asyncio.sleep(1)
    await asyncio.to_thread(world.servers.mongo.restart)


async def lose_nats_for_long(world: World) -> None:
    """The message bus is away for longer than it remembers the ids of messages."""
    await asyncio.to_thread(world.servers.nats.kill)
    await asyncio.sleep(DUPLICATES_MS / 1_000 + 15)
    await asyncio.to_thread(world.servers.nats.restart)


async def lose_mongo_for_long(world: World) -> None:
    """The database is away for longer than the driver looks for it."""
    await asyncio.to_thread(world.servers.mongo.kill)
    await asyncio.sleep(75)
    await asyncio.to_thread(world.servers.mongo.restart)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("strike", [lose_nats_for_long, lose_mongo_for_long])
async def test_a_server_may_be_away_for_long(
    strike: Callable[[World], Awaitable[None]], tmp_path: Path
) -> None:
    """The same holds when it comes back past every retry limit and every window."""
    async with running_world(tmp_path, ["both", "both"]) as world:
        await world.progress(0.2)
        await strike(world)
        states = await world.all_ended()
        await check(world, states)


@pytest.mark.parametrize(
    ("roles", "strike"),
    [
        (["both", "both"], kill_an_executor),
        (["coordinator", "runner", "runner"], kill_a_runner),
        (["both", "both"], kill_nats),
        (["both", "both"], kill_mongo),
    ],
    ids=["coordinator", "runner", "nats", "mongo"],
)
async def test_nothing_is_lost_and_nothing_happens_twice(
    roles: list[str], strike: Callable[[World], Awaitable[None]], tmp_path: Path
) -> None:
    """Every workflow ends, non-idempotent steps run at most once, idempotent ones at least once,
    and the stored state is the fold of the history."""
    async with running_world(tmp_path, roles) as world:
        await world.progress(0.2)
        await strike(world)
        states = await world.all_ended()
        await check(world, states)
