"""One coordinator, two agents and what keeps them from hearing of each other in time.

Everything that decides, claims and starts is the production code, over the ports in memory and in
virtual time. Messages about claims and stops are lost or late, claims and cancellations overtake
each other, tasks that were withdrawn stay in their queues.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import BaseModel

from services.executor.commands.base import CommandContext, Completed, Failed, Outcome, StopProof
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.interruption import Interruption, interrupted, race
from services.executor.commands.running_records import RunningRecords
from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.programs import Programs
from services.executor.policy import Policy
from services.executor.runner.attempt import Workbench
from services.executor.runner.runner import Runner
from services.executor.secrets.vault import Vault
from shared.commands.signatures import signatures
from shared.commands.spec import CommandSpec, Effects
from shared.contracts.agents import AgentRecord
from shared.contracts.tasks import LogChunk
from shared.memory.bus import MemoryBus
from shared.memory.effects import MemoryEffects
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.faults import Action, Faults, OutageError
from shared.memory.journal import MemoryJournal, MemoryJournalReader
from shared.memory.leases import MemoryLeases
from shared.memory.orders import MemoryOrders
from shared.memory.tasks import MemoryTaskFeed
from shared.memory.templates import MemoryTemplateStore
from shared.ports.journal import Journal
from shared.ports.orders import Orders
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import CoordinatorMeter, ErrorMeter, RunnerMeter, new_registry
from shared.runtime.sealing import Sealer
from shared.workflow import events as ev
from shared.workflow.definition import Template
from shared.workflow.messages import CancelRequested, ExecutionRequested
from shared.workflow.replay import HistoryEntry
from tests.takers import taker

EXECUTIONS = 6
WIDTH = 3
TICK_MS = 50
PATIENCE_S = 600.0
AGENTS = ("one", "two")

Leg = tuple[str, str, int, int]
"""Execution, step, attempt, leg."""
History = Sequence[HistoryEntry]


class Nothing(BaseModel):
    """No fields, as parameters and as output."""


MARK = CommandSpec.of(
    name="mark",
    summary="Changes something.",
    parameters=Nothing,
    output=Nothing,
    effects=Effects.IRREVERSIBLE,
)


@dataclass
class Mark:
    """Notes when it begins, works for a while, and fails now and then."""

    bus: MemoryBus
    rng: random.Random
    begun: dict[Leg, list[int]] = field(default_factory=dict)
    spec: CommandSpec = MARK
    parameters: type[BaseModel] = Nothing

    async def run(self, params: Nothing, context: CommandContext) -> Outcome:
        leg = (context.execution_id, context.step_id, context.attempt, context.leg)
        self.begun.setdefault(leg, []).append(self.bus.clock.now_ms())
        why = await race(asyncio.sleep(self.rng.uniform(0, 2)), context)
        if isinstance(why, Interruption):
            return interrupted(why, StopProof(True, "it slept"))
        return Failed("broken", "now and then") if self.rng.random() < 0.15 else Completed({})


class Trouble(Faults):
    """What is short talk is lost or late; what is durable is late only."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def before(self, action: Action, subject: str) -> None:
        fate = self._rng.random()
        if action in (Action.DECIDED, Action.STOP, Action.FORGET, Action.ASK) and fate < 0.25:
            raise OutageError
        if action is Action.DECIDED and fate < 0.5:
            await asyncio.sleep(self._rng.uniform(0, 6))
        if action is Action.APPEND:
            await asyncio.sleep(self._rng.uniform(0, 0.3))


class NoLogs:
    """Forgets every line."""

    async def write(self, chunk: LogChunk) -> None:
        """Forget it."""


class FencingWorld:
    """Some executions, half of which are cancelled at a random moment."""

    def __init__(self, seed: int, home: Path) -> None:
        self.rng = random.Random(seed)
        self.bus = MemoryBus(faults=Trouble(self.rng), partitions=16)
        self.mark = Mark(self.bus, self.rng)
        self.store = MemoryExecutionStore()
        self._home = home
        self._catalog = CommandCatalog([self.mark])

    def ports(self) -> tuple[Journal, Orders]:
        """What an agent speaks through."""
        return MemoryJournal(self.bus), MemoryOrders(self.bus)

    async def run(self) -> None:
        """From the first request until everything has ended."""
        ticking = asyncio.create_task(self._tick())
        coordinator = await self._coordinator()
        runners = [await self._runner(agent) for agent in AGENTS]
        names = [f"x{number}" for number in range(EXECUTIONS)]
        people = [asyncio.create_task(self._ask_for(name)) for name in names]
        await asyncio.gather(*people)
        async with asyncio.timeout(PATIENCE_S):
            while not await self._all_ended(names):  # noqa: ASYNC110 - others change it
                await asyncio.sleep(1)
        await asyncio.sleep(30)  # whatever would begin late begins now
        for runner in runners:
            await runner.close(0)
        await coordinator.close()
        ticking.cancel()

    def violations(self) -> list[str]:
        """Commands that began and must not have."""
        found = []
        for leg, times in self.mark.begun.items():
            history = self.store.history(leg[0])
            started, ended = _granted_at(history, leg), _ended_at(history, leg)
            if len(times) > 1:
                found.append(f"{leg} began {len(times)} times")
            elif started is None:
                found.append(f"{leg} began and was never granted")
            elif ended is not None and times[0] > ended:
                found.append(f"{leg} began at {times[0]}, after its end at {ended}")
        return found

    def kinds(self) -> Counter[str]:
        """How often each kind of event was decided."""
        entries = [e for name in self.store.execution_ids() for e in self.store.history(name)]
        return Counter(event.type for entry in entries for event in entry.events)

    async def _ask_for(self, name: str) -> None:
        rng = self.rng
        request = ExecutionRequested(template_id="t", template_version="1.0.0")
        await asyncio.sleep(rng.uniform(0, 3))
        await MemoryJournal(self.bus).append(name, request, f"req.{name}")
        if rng.random() < 0.6:
            await asyncio.sleep(rng.choice((0.1, 0.5, 4)) * rng.random())
            await MemoryJournal(self.bus).append(name, CancelRequested(), f"cancel.{name}")

    async def _all_ended(self, names: list[str]) -> bool:
        states = (await self.store.load(names)).states
        return len(states) == len(names) and all(s.state.ended for s in states.values())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            self.bus.clock.advance(TICK_MS)

    async def _coordinator(self) -> Coordinator:
        templates = MemoryTemplateStore()
        await templates.put(StoredTemplate(_template(), "hash", 0))
        registry = new_registry("executor", "1")
        coordinator = Coordinator(
            owner="mind-1",
            reader=MemoryJournalReader(self.bus),
            effects=MemoryEffects(self.bus),
            store=self.store,
            programs=Programs(templates, signatures(self._catalog.registry)),
            leases=MemoryLeases(self.bus),
            agents=lambda: [_record(agent) for agent in AGENTS],
            meter=CoordinatorMeter(registry, ErrorMeter(registry)),
        )
        await MemoryOrders(self.bus).answer_claims(coordinator.answer_claim)
        await coordinator.start()
        return coordinator

    async def _runner(self, agent: str) -> Runner:
        registry = new_registry("executor", "1")
        journal, orders = self.ports()
        feed = MemoryTaskFeed(self.bus, agent, [], slots=3)
        runner = Runner(
            workbench=self._workbench(agent),
            feed=feed,
            journal=journal,
            orders=orders,
            logs=NoLogs(),
            slots=3,
            meter=RunnerMeter(registry, ErrorMeter(registry), self._catalog, 3),
            elapsed_s=asyncio.get_running_loop().time,
        )
        await runner.start()
        await feed.start()
        return runner

    def _workbench(self, agent: str) -> Workbench:
        return Workbench(
            agent=agent,
            host="h",
            clock=self.bus.clock,
            commands=self._catalog,
            policy=Policy(),
            sealer=Sealer(Fernet.generate_key()),
            vault=Vault(agent, [], Policy()),
            data_dir=self._home,
            output_limit_bytes=65_536,
            hive=None,
            running=RunningRecords(self._home / "running"),
            taker=taker(self._catalog, self.bus.clock),
        )


def _template() -> Template:
    steps = [
        {"id": f"s{n}", "command": "mark", "retry": {"max_attempts": 2, "delay_s": 0.2}}
        for n in range(WIDTH)
    ]
    last = {"id": "last", "command": "mark", "depends_on": ["s0"], "idempotent": True}
    return Template.model_validate({"id": "t", "name": "T", "steps": [*steps, last]})


def _record(agent: str) -> AgentRecord:
    return AgentRecord(name=agent, host="h", version="1", started_at_ms=0, seen_at_ms=0, slots=3)


def _granted_at(history: History, leg: Leg) -> int | None:
    """When the history has the start of this leg."""
    for entry in history:
        for event in entry.events:
            if isinstance(event, ev.StepStarted) and leg[1:] == (
                event.step,
                event.attempt,
                event.leg,
            ):
                return entry.at_ms
    return None


def _ended_at(history: History, leg: Leg) -> int | None:
    """When the history has the end of this attempt, or of a later one."""
    for entry in history:
        ends = (e for e in entry.events if isinstance(e, ev.StepEnded) and e.step == leg[1])
        if any(event.attempt >= leg[2] for event in ends):
            return entry.at_ms
    return None
