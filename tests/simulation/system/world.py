"""A world: coordinators, agents and people over misbehaving servers, from a seed.

First everything goes wrong for a while. Then it is calm: whatever was accepted must come to its
end, and everything that `checks` says must be true of how it did.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import structlog
from cryptography.fernet import Fernet

from services.executor.commands.base import Command
from services.executor.commands.catalog import CommandCatalog
from services.executor.commands.running_records import RunningRecords
from services.executor.coordinator.actors import Actors
from services.executor.coordinator.automations import Automations
from services.executor.coordinator.concurrency_keys import ConcurrencyKeys
from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.orphans import Orphans
from services.executor.coordinator.programs import Programs
from services.executor.coordinator.rollbacks import Rollbacks
from services.executor.placement import LiveAgents
from services.executor.policy import Policy
from services.executor.runner.attempt import Workbench
from services.executor.runner.runner import Runner
from services.executor.secrets.vault import Vault
from shared.contracts.agents import AgentRecord
from shared.contracts.tasks import LogChunk
from shared.memory.actors import MemoryAutomationStore, MemoryKeyStateStore, MemoryRollbackStore
from shared.memory.agents import MemoryAgentDirectory
from shared.memory.captures import MemoryCaptures
from shared.memory.leases import MemoryLeases
from shared.memory.templates import MemoryTemplateStore
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import CoordinatorMeter, ErrorMeter, RunnerMeter, new_registry
from shared.runtime.sealing import Sealer
from shared.workflow.program import Program, compile_template
from tests.simulation.core_templates import COMMANDS
from tests.simulation.system.checks import Record, violations
from tests.simulation.system.commands import Ledger, Temper, commands
from tests.simulation.system.complaints import Complaints
from tests.simulation.system.idle_loop import run_idly
from tests.simulation.system.judges import NAME as JUDGE
from tests.simulation.system.judges import Judges
from tests.simulation.system.loop_clock import LoopClock
from tests.simulation.system.people import People
from tests.simulation.system.ports import Effects, Feed, Journal, Network, Orders, Pools, Reader
from tests.simulation.system.processes import Process, current, owning_tasks
from tests.simulation.system.schedules import NAME as SCHEDULE
from tests.simulation.system.schedules import Schedule, check_schedule
from tests.simulation.system.servers import Store, bus_of
from tests.simulation.system.slots import check_slots
from tests.simulation.system.storm import Storm
from tests.simulation.system.templates import AGENTS, CHILD, template_of
from tests.simulation.system.weather import Trace, Weather
from tests.takers import taker

PARTITIONS: Final = 3
COORDINATORS: Final = ("mind-0", "mind-1")
TEMPLATES: Final = 2
EXECUTIONS: Final = 4
WITH_SCHEDULE: Final = 0.3
"""The share of worlds with a schedule."""
SLOTS: Final = 4
STORM_S: Final = (15.0, 40.0)
PATIENCE_S: Final = 4_000.0
"""How long everything may take to end once it is calm."""
EPOCH: Final = "sim"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a world."""

    seed: int
    violations: Sequence[str]
    trace: str
    executions: int
    entries: int
    starts: int
    crashes: int
    virtual_s: float


class _NoLogs:
    """Forgets every line."""

    async def write(self, chunk: LogChunk) -> None:
        """Forget it."""


class _Directory(MemoryAgentDirectory):
    """Live agents, unless the process is cut off."""

    async def live(self) -> Sequence[AgentRecord]:
        """All live agents, by name."""
        me = current()
        if me is not None and me.is_cut:
            raise TimeoutError("no answer")
        return await super().live()


@cache
def _child() -> Program:
    return compile_template(CHILD, COMMANDS)


class _Programs(Programs):
    """Programs of one world; the sub-workflow is the same in all."""

    async def get(self, template_id: str, version: str) -> Program:
        """The program."""
        return _child() if template_id == CHILD.id else await super().get(template_id, version)

    def cached(self, template_id: str, version: str) -> Program | None:
        """The program if it is in hand."""
        return _child() if template_id == CHILD.id else super().cached(template_id, version)


@cache
def _meters() -> tuple[CoordinatorMeter, RunnerMeter]:
    registry = new_registry("executor", "1")
    errors = ErrorMeter(registry)
    return CoordinatorMeter(registry, errors), RunnerMeter(registry, errors, list(COMMANDS), SLOTS)


@cache
def _sealer() -> Sealer:
    return Sealer(Fernet.generate_key())


class World:
    """One seed's world; `run` it once."""

    def __init__(self, seed: int, home: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(seed)
        self._home = home
        self.trace = Trace()
        self.weather = Weather.of_seed(self._rng, self.trace)
        self.clock = LoopClock(self._loop)
        self.bus, self.streams, self.tasks = bus_of(self.clock, self.weather, PARTITIONS, self._rng)
        self.store = Store(self.weather)
        self.network = Network(self._rng)
        self._judges = Judges(self.bus, self.network)
        self.captures = MemoryCaptures()
        self.ledger = Ledger(self.clock, self._rng)
        self._catalog = CommandCatalog(self._commands())
        templates = MemoryTemplateStore()
        self._templates = templates
        self._programs = _Programs(templates, COMMANDS)
        self._automations = MemoryAutomationStore(self.weather)
        self._keys = MemoryKeyStateStore(self.weather)
        self.rollbacks = MemoryRollbackStore(self.weather)
        self._schedule: Schedule | None = None
        self._processes: dict[str, Process] = {}
        self._is_calm = False
        self.violations: list[str] = []
        self._outside = Process("outside", crashes=False)
        self.people = self._everybody()
        self._storm = Storm(
            self._rng,
            self.weather,
            (self.bus, self.streams, self.tasks),
            self.clock,
            self._processes,
            self.people.roots,
            self.trace,
            PARTITIONS,
        )

    async def run(self) -> None:
        """From the first request until everything has ended, and the checks."""
        self._loop.set_task_factory(owning_tasks)
        names = await self._write_templates()
        self._set_mood()
        if self._rng.random() < WITH_SCHEDULE:
            self._schedule = Schedule(self._rng, self.streams, names[0])
            self._schedule.make()
        keepers = [self._keep(name, self._mind) for name in COORDINATORS]
        keepers += [self._keep(name, self._agent) for name in AGENTS]
        keepers += [self._keep(name, main) for name, main in self._others().items()]
        if self._schedule is not None:
            keepers.append(self._keep(JUDGE, self._judges.main))
        running = [self._loop.create_task(keeper) for keeper in keepers]
        asking = [
            self._outside.spawn(self.people.ask_for(f"x{number}", names[number % TEMPLATES]))
            for number in range(EXECUTIONS)
        ]
        running.append(self._outside.spawn(self.people.look_around()))
        raging = self._loop.create_task(self._storm.rage())
        await asyncio.sleep(self._rng.uniform(*STORM_S))
        raging.cancel()
        self._calm()
        await asyncio.gather(*asking)
        await self._until_over()
        for task in running:
            task.cancel()
        for process in [*self._processes.values(), self._outside]:
            process.kill()

    # What kinds of worlds differ in

    def _commands(self) -> Sequence[Command]:
        """What agents can do."""
        return commands(self.ledger)

    def _everybody(self) -> People:
        """Who asks, answers and meddles."""
        return People(self._rng, self.store, Journal(self.bus, self.network), self.ledger)

    def _others(self) -> Mapping[str, Callable[[str], Awaitable[None]]]:
        """Processes beside coordinators and agents."""
        return {}

    def _undone(self, records: Sequence[Record]) -> Iterator[str]:
        """Whatever else is wrong with how a world ended."""
        yield from ()

    # Processes

    async def _keep(self, name: str, main: Callable[[str], Awaitable[None]]) -> None:
        """Start a process, and start it again whenever it is gone."""
        while True:
            process = self._processes[name] = Process(name)
            work = process.spawn(_as_coroutine(main(name)))
            died = self._loop.create_task(process.died.wait())
            await asyncio.wait({work, died}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and not work.cancelled() and work.exception() is not None:
                self._broken(name, work.exception())
            died.cancel()
            process.kill()
            self._orders().prune()
            await asyncio.sleep(0.5 if self._is_calm else self._rng.choice((0.5, 3, 3, 12, 25)))

    def _broken(self, name: str, error: BaseException | None) -> None:
        """A process may end because servers are away, for no other reason."""
        if not isinstance(error, OSError | TimeoutError):
            self.violations.append(f"{name} broke: {error!r}")

    async def _mind(self, name: str) -> None:
        agents = LiveAgents(_Directory(self.bus))
        await agents.start()
        effects = Effects(self.bus, self.network)
        coordinator = Coordinator(
            owner=name,
            reader=Reader(self.bus, self._rng),
            effects=effects,
            store=self.store,
            programs=self._programs,
            leases=MemoryLeases(self.bus),
            agents=lambda: agents.now,
            meter=_meters()[0],
            actors=Actors(
                Automations(self._automations, self._templates, effects, _meters()[0]),
                ConcurrencyKeys(self._keys, effects),
                Rollbacks(self.rollbacks, effects),
            ),
            partitions=PARTITIONS,
        )
        await self._orders().answer_claims(coordinator.answer_claim)
        await coordinator.start()
        orphans = Orphans(
            Pools(self.bus), Journal(self.bus, self.network), self._orders(), lambda: agents.now
        )
        await orphans.start()
        if self._rng.random() < 0.1 and not self._is_calm:
            await asyncio.sleep(self._rng.uniform(1, 20))
            await orphans.close()
            await coordinator.close()
            return
        done, _ = await asyncio.wait(coordinator.loops, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _agent(self, name: str) -> None:
        capabilities = ["special"] if name == AGENTS[0] else []
        feed = Feed(self.bus, name, capabilities, slots=SLOTS)
        runner = Runner(
            workbench=self._workbench(name),
            feed=feed,
            journal=Journal(self.bus, self.network),
            orders=self._orders(),
            logs=_NoLogs(),
            slots=SLOTS,
            meter=_meters()[1],
            elapsed_s=self._loop.time,
        )
        await runner.start()
        await feed.start()
        directory = _Directory(self.bus)
        while True:
            record = AgentRecord(
                name=name,
                host=name,
                version="1",
                capabilities=tuple(capabilities),
                slots=SLOTS,
                running=runner.running,
                load=runner.running / SLOTS,
                started_at_ms=0,
                seen_at_ms=self.clock.now_ms(),
            )
            with contextlib.suppress(OSError):
                await directory.announce(record)
            await asyncio.sleep(2)

    def _workbench(self, agent: str) -> Workbench:
        return Workbench(
            agent=agent,
            host=agent,
            clock=self.clock,
            commands=self._catalog,
            policy=Policy(),
            sealer=_sealer(),
            vault=Vault(agent, [], Policy()),
            data_dir=self._home,
            output_limit_bytes=65_536,
            hive=None,
            running=RunningRecords(self._home / "running"),
            taker=taker(self._catalog, self.clock, self.captures, host=agent),
        )

    def _orders(self) -> Orders:
        return Orders(self.bus, self.network)

    # How it goes

    def _set_mood(self) -> None:
        rng = self._rng
        self.network.jitter_s = rng.choice((0.0, 0.02, 0.5, 2.0))
        self.streams.forgets_acknowledgements = rng.choice((0.0, 0.5))
        self.streams.repeats_timers = rng.choice((0.0, 0.0, 0.3))
        self.tasks.disorder = rng.choice((0.0, 0.5))
        self.ledger.temper = Temper(
            fails=rng.choice((0.0, 0.1, 0.2)),
            defers=rng.choice((0.0, 0.1)),
            long=rng.choice((0.0, 0.1, 0.2)),
            most_s=rng.choice((0.02, 1.0, 4.0)),
        )

    def _calm(self) -> None:
        self.trace.note("calm", round(self._loop.time(), 3))
        if self._schedule is not None:
            self._schedule.pause()
        self._is_calm = self.people.calm = True
        self.weather.calm()
        self.network.jitter_s = 0.0
        self.streams.forgets_acknowledgements = self.streams.repeats_timers = 0.0
        self.ledger.temper = Temper(fails=0.05, defers=0.0, long=0.0)
        for process in self._processes.values():
            process.cut_until = process.still_until = 0.0

    # The end

    async def _write_templates(self) -> list[str]:
        made = [template_of(self._rng, f"t{number}") for number in range(TEMPLATES)]
        for template in (CHILD, *made):
            await self._templates.put(StoredTemplate(template, "hash", 0))
        return [template.id for template in made]

    async def _until_over(self) -> None:
        """Until nothing is open: what was accepted in the last moment may be stored only now."""
        since = self._loop.time()
        while self._loop.time() - since <= PATIENCE_S:
            if self._has_ended():
                await self._let_late_ones_come()
                if self._has_ended():
                    return
            await asyncio.sleep(5)
        self.violations += self._stuck()

    async def _let_late_ones_come(self) -> None:
        for _ in range(6):
            await asyncio.sleep(10)
            if self._is_acknowledged():
                return

    def _has_ended(self) -> bool:
        newest = self.store.newest
        done = all(stored.state.ended for stored in newest.values()) and self._is_over()
        return done and set(self.people.roots) <= newest.keys()

    def _is_over(self) -> bool:
        """Whether nothing else is under way."""
        return True

    def _is_acknowledged(self) -> bool:
        """An acknowledgement may be lost for good: the next one would cover it."""
        return all(
            self.streams.floor(number) >= self.streams.last_seq(number)
            for number in range(PARTITIONS)
        )

    def _stuck(self) -> list[str]:
        found = [f"{name} was accepted and is not stored" for name in self.people.roots
                 if name not in self.store.newest]  # fmt: skip
        for name, stored in self.store.newest.items():
            if not stored.state.ended:
                steps = {
                    key: f"{one.status.value} {one.attempt}.{one.leg} {one.agent}"
                    for key, one in stored.state.steps.items()
                    if not one.ended
                }
                found.append(f"{name} never ends: {stored.state.status.value} {steps}")
        return found

    async def outcome(self, seed: int, complaints: Sequence[str]) -> Outcome:
        """Check everything."""
        found = [*self.violations, *self.store.violations, *complaints, *self._quarantine()]
        entries = 0
        events = {e.event.id: e.event.model_dump_json() for e in self.bus.events._events}
        records = [await self._record(name, events) for name in self.store.execution_ids()]
        for record in records:
            entries += len(record.history)
            found += violations(record)
            for entry in record.history:
                types = [e.type for e in entry.events]
                self.trace.note(record.execution_id, entry.seq, entry.at_ms, types)
        found += check_slots([(record.history, record.appended_at) for record in records])
        if self._schedule is not None:
            states = [stored.state for stored in self.store.newest.values()]
            found += await check_schedule(self._automations, states)
            found += self._judges.wrong(states, SCHEDULE)
        found += self._undone(records)
        return Outcome(
            seed=seed,
            violations=found,
            trace=self.trace.value,
            executions=len(self.store.newest),
            entries=entries,
            starts=len(self.ledger.starts),
            crashes=self.weather.crashes,
            virtual_s=self._loop.time(),
        )

    async def _record(self, name: str, events: Mapping[str, str]) -> Record:
        state = (await self.store.load([name])).states[name].state
        return Record(
            execution_id=name,
            program=await self._programs.get(state.template_id, state.template_version),
            state=state,
            history=self.store.history(name),
            appended_at=self.streams.appended_at[name],
            cancels=self.streams.cancels[name],
            starts=[start for start in self.ledger.starts if start.leg[0] == name],
            events=events,
        )

    def _quarantine(self) -> list[str]:
        """What could not be applied is put aside, and nothing else is."""
        aside = {(put.execution_id, put.seq): put.reason for put in self.store.quarantined}
        lost = [f"poison {key} was not put aside" for key in self._storm.poison if key not in aside]
        wrong = [
            f"{key} was put aside: {reason}"
            for key, reason in aside.items()
            if key not in self._storm.poison
        ]
        return lost + wrong


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work


async def _live(kind: type[World], seed: int, home: Path, complaints: Complaints) -> Outcome:
    world = kind(seed, home)
    await world.run()
    return await world.outcome(seed, complaints.kept)


def play(seed: int, kind: type[World] = World) -> Outcome:
    """Run one world."""
    complaints = Complaints()
    structlog.configure(
        processors=[complaints],
        wrapper_class=structlog.make_filtering_bound_logger(40),
        cache_logger_on_first_use=False,
    )
    with tempfile.TemporaryDirectory() as home:
        try:
            return run_idly(_live(kind, seed, Path(home), complaints))
        except Exception:
            broke = f"the world broke: {traceback.format_exc(limit=-6)}"
            return Outcome(seed, [broke, *complaints.kept], "", 0, 0, 0, 0, 0.0)
