"""Three agents and a desk on real servers. The desk acts as the NATS user `coordinator`,
agents as `runner`: neither as admin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.executor.bootstrap_hive import hive_over, responder_for, start_desk, stored_collective
from services.executor.commands.base import CommandContext, Outcome
from services.executor.commands.catalog import CommandCatalog, builtin_commands
from services.executor.commands.perform import perform
from services.executor.desk import Collective
from services.executor.policy import Policy, default_policy
from services.executor.prechecks import Prechecks
from services.executor.responder import Responder
from services.executor.secrets.vault import Vault
from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.executions import MongoExecutionStore
from shared.adapters.nats.agents import NatsAgentDirectory
from shared.adapters.nats.connection import Bus, connect
from shared.adapters.nats.publisher import Publisher
from shared.adapters.nats.streams import ensure_streams
from shared.contracts.agents import AgentRecord
from shared.ports.hive import Hive
from tests.servers import Servers, unique_database


def _same(record: AgentRecord) -> AgentRecord:
    return record


CATALOG = CommandCatalog(builtin_commands())


@dataclass
class Fleet:
    """A desk, and agents that were told to join."""

    folder: Path
    url: str
    desk_bus: Bus
    watcher: Bus
    """Who sees everything: no service may."""
    collective: Collective
    hive: Hive
    bus: Bus
    execution: str = field(default_factory=unique_database)
    responders: dict[str, tuple[Responder, Bus]] = field(default_factory=dict)

    async def announce(self, name: str) -> AgentRecord:
        """An agent that says it lives; it does not answer yet."""
        now = self.hive.clock.now_ms()
        record = AgentRecord(
            name=name, host="test", version="1.0.0", started_at_ms=now, seen_at_ms=now
        )
        await self.hive.agents.announce(record)
        return record

    async def join(self, *names: str) -> None:
        """Agents that live and answer, each with a connection of its own."""
        for name in names:
            record = await self.announce(name)
            bus = await connect(self.url, name)
            (self.folder / name).mkdir(exist_ok=True)
            hive = hive_over(bus)
            prechecks = Prechecks(Policy(), Vault(name, [], Policy()), hive.clock)
            folder, told = self.folder / name, partial(_same, record)
            responder = responder_for(name, bus, hive, folder, told, prechecks)
            await responder.start()
            self.responders[name] = responder, bus

    async def leave(self, name: str) -> None:
        """The agent's process is gone, but its announcement is still there."""
        responder, bus = self.responders.pop(name)
        await responder.close()
        await bus.close()

    async def run(
        self, command: str, parameters: dict[str, Any], attempt: int = 1, **leg: Any
    ) -> Outcome:
        """Run a command on an agent, as the runner does."""
        context = CommandContext(
            execution_id=self.execution,
            step_id="step",
            attempt=attempt,
            leg=leg.get("leg", 0),
            agent="a",
            policy=default_policy(self.folder),
            make_workdir=lambda: self.folder,
            emit=lambda _stream, _line: None,
            cancelled=asyncio.Event(),
            hive=self.hive,
        )
        return await perform(CATALOG, command, parameters, context, leg.get("token"))


@pytest.fixture
async def fleet(servers: Servers, mongo_url: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    url = servers.nats_url("runner")
    mongo = Mongo(mongo_url, journaled=False)
    desk_bus = await connect(servers.nats_url("coordinator"), "desk")
    bus = await connect(url, "runner")
    await ensure_streams(desk_bus)
    await _forget_agents(bus)
    publisher = Publisher(desk_bus, grouped=False)
    await publisher.start()
    closers = await start_desk(desk_bus, mongo, publisher, MongoExecutionStore(mongo))
    hive = hive_over(bus)
    collective = await stored_collective(mongo, publisher)
    watcher = await connect(servers.nats_url("admin"), "watcher")
    fleet = Fleet(tmp_path, url, desk_bus, watcher, collective, hive, bus)
    yield fleet
    for name in list(fleet.responders):
        await fleet.leave(name)
    await _forget_agents(bus)
    for close in (*closers, publisher.close, bus.close, watcher.close):
        await close()
    if desk_bus.connected:
        await desk_bus.close()
    await mongo.close()


async def _forget_agents(bus: Bus) -> None:
    """The bucket is shared by all tests of the session."""
    directory = NatsAgentDirectory(bus)
    for record in await directory.live():
        await directory.withdraw(record.name)
