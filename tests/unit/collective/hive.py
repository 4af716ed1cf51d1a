"""A hive in memory, with agents that answer for real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.executor.commands.base import CommandContext, Outcome
from services.executor.commands.catalog import CommandCatalog, builtin_commands
from services.executor.commands.perform import perform
from services.executor.facts import FactFinder
from services.executor.policy import Policy, default_policy
from services.executor.prechecks import Prechecks
from services.executor.received import ReceivedBroadcasts
from services.executor.responder import Possessions, Responder
from services.executor.secrets.vault import Vault
from services.executor.synced import SyncedBundles
from shared.contracts.agents import AgentRecord
from shared.memory.agents import MemoryAgentDirectory
from shared.memory.broadcasts import MemoryBroadcasts
from shared.memory.bundles import MemoryBundles
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.control import MemoryControl
from shared.memory.delegations import MemoryDelegations
from shared.memory.memories import MemoryMemories
from shared.memory.participants import MemoryParticipants
from shared.ports.hive import Hive
from tests.takers import taker

CATALOG = CommandCatalog(builtin_commands())


@dataclass
class LittleHive:
    """Agents by name; each has a data directory below `folder`."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    control: MemoryControl = field(default_factory=MemoryControl)
    records: dict[str, AgentRecord] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.directory = MemoryAgentDirectory(MemoryBus(self.clock))
        self.taker = taker(CATALOG, self.clock)
        self.port = Hive(
            agents=self.directory,
            control=self.control,
            memories=MemoryMemories(),
            delegations=MemoryDelegations(),
            broadcasts=MemoryBroadcasts(),
            participants=MemoryParticipants(),
            bundles=MemoryBundles(),
            clock=self.clock,
        )

    async def announce(self, name: str, **fields: Any) -> None:
        """An agent that says it lives; it does not answer yet."""
        now = self.clock.now_ms()
        defaults = {"host": f"{name}.example", "version": "1.0.0", "slots": 4}
        record = AgentRecord(
            name=name, started_at_ms=now - 1_000, seen_at_ms=now, **{**defaults, **fields}
        )
        self.records[name] = record
        await self.directory.announce(record)

    def responder(self, name: str) -> Responder:
        """What answers for an agent."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Responder(
            agent=name,
            record=lambda: self.records[name],
            seat=self.control.seat(name),
            possessions=Possessions(
                received=ReceivedBroadcasts(folder),
                synced=SyncedBundles(folder, self.port.bundles),
                facts=FactFinder(folder),
                prechecks=Prechecks(Policy(), Vault(name, [], Policy()), self.clock),
            ),
            broadcasts=self.port.broadcasts,
            bundles=self.port.bundles,
            clock=self.clock,
        )

    async def join(self, *names: str) -> list[Responder]:
        """Agents that live and answer."""
        responders = []
        for name in names:
            await self.announce(name)
            responder = self.responder(name)
            await responder.start()
            responders.append(responder)
        return responders

    async def run(
        self,
        command: str,
        parameters: dict[str, Any],
        *,
        leg: int = 0,
        attempt: int = 1,
        token: str | None = None,
        hive: Callable[[], Hive | None] | None = None,
    ) -> Outcome:
        """Run a command on the agent `a`, as the runner does."""
        context = self.context(leg=leg, attempt=attempt)
        if hive is not None:
            context = replace(context, hive=hive())
        return await perform(CATALOG, command, parameters, context, token)

    def context(self, *, leg: int = 0, attempt: int = 1) -> CommandContext:
        """What a command is given on the agent `a`."""
        return CommandContext(
            execution_id="ex_1",
            step_id="step",
            attempt=attempt,
            leg=leg,
            agent="a",
            policy=default_policy(self.folder),
            make_workdir=lambda: self.folder,
            emit=lambda _stream, line: self.lines.append(line),
            cancelled=asyncio.Event(),
            hive=self.port,
            kept=self.taker.kept,
        )
