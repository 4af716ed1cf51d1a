"""What a coordinator owes the one after it: effects, records and states in that order, and nothing
from before its partition was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.partitions import PARTITION
from services.executor.coordinator.programs import Programs
from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.memory.bus import MemoryBus, Perishable
from shared.memory.effects import MemoryEffects
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.faults import Action, Faults, OutageError
from shared.memory.journal import MemoryJournal, MemoryJournalReader
from shared.memory.leases import MemoryLeases
from shared.memory.templates import MemoryTemplateStore
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import CoordinatorMeter, ErrorMeter, new_registry
from shared.workflow.definition import Template
from shared.workflow.messages import (
    JOURNAL_MESSAGE,
    CancelRequested,
    ExecutionRequested,
    PauseRequested,
    ResumeRequested,
)
from shared.workflow.program import CommandSignature
from tests.simulation.virtual_time import run_virtually

NAME, OTHER = "x1", "x2"
REQUEST = ExecutionRequested(template_id="t", template_version="1.0.0")
TEMPLATE = Template.model_validate({"id": "t", "name": "T", "steps": [{"id": "a", "command": "c"}]})
AGENT = AgentRecord(name="one", host="h", version="1", started_at_ms=0, seen_at_ms=0, slots=1)
FAR_MS = 10**15


class Away(Faults):
    """Servers that are away for some actions, and slow for others."""

    def __init__(self) -> None:
        self.away: set[Action] = set()
        self.slow: set[Action] = set()
        self.asked: set[Action] = set()

    async def before(self, action: Action, subject: str) -> None:
        self.asked.add(action)
        if action in self.away:
            await asyncio.sleep(0.1)
            raise OutageError
        if action in self.slow:
            await asyncio.sleep(3)


class World:
    """A bus and a store, and coordinators that come and go."""

    def __init__(self) -> None:
        self.faults = Away()
        self.bus = MemoryBus(faults=self.faults)
        self.store = MemoryExecutionStore(self.faults)
        self.partition = subjects.partition_of(NAME, self.bus.partitions)

    async def coordinator(self, owner: str) -> Coordinator:
        templates = MemoryTemplateStore()
        await templates.put(StoredTemplate(TEMPLATE, "hash", 0))
        registry = new_registry("executor", "1")
        coordinator = Coordinator(
            owner=owner,
            reader=MemoryJournalReader(self.bus),
            effects=MemoryEffects(self.bus),
            store=self.store,
            programs=Programs(templates, {"c": CommandSignature(output={})}),
            leases=MemoryLeases(self.bus),
            agents=lambda: [AGENT],
            meter=CoordinatorMeter(registry, ErrorMeter(registry)),
        )
        await coordinator.start()
        return coordinator

    async def ask(self) -> None:
        await MemoryJournal(self.bus).append(NAME, REQUEST, "request")

    def kill(self, coordinator: Coordinator) -> None:
        """Its tasks are gone, what it had under way as well; its leases run out."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        self.bus.leases.clear()

    def lose(self) -> None:
        """Another one has the lease."""
        name = f"{PARTITION}{self.partition}"
        self.bus.leases[name] = Perishable("another", FAR_MS)

    @property
    def floor(self) -> int:
        return self.bus.journal.floor(self.partition)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - others change it
            await asyncio.sleep(0.05)


def test_no_state_is_stored_before_its_effects_are_durable() -> None:
    """A coordinator that dies before a task is durable leaves no state that would hide it: the
    next one offers the task."""

    async def story() -> None:
        world = World()
        first = await world.coordinator("first")
        world.faults.away = {Action.TASK}
        await world.ask()
        await until(lambda: Action.TASK in world.faults.asked)
        await asyncio.sleep(5)
        assert world.store.execution_ids() == []
        world.kill(first)
        world.faults.away = set()
        await world.coordinator("second")
        await until(lambda: world.floor > 0)
        assert len(world.bus.tasks) == 1
        assert world.store.execution_ids() == [NAME]

    run_virtually(story())


def test_what_was_put_aside_is_recorded_before_a_later_state() -> None:
    """A coordinator that dies before it recorded a poison entry stores no state that hides it."""

    async def story() -> None:
        world = World()
        world.faults.away = {Action.QUARANTINE}
        first = await world.coordinator("first")
        await world.ask()
        world.bus.journal.append(NAME, b"poison", "poison")
        await MemoryJournal(world.bus).append(NAME, PauseRequested(), "pause")
        await until(lambda: Action.QUARANTINE in world.faults.asked)
        await asyncio.sleep(5)
        world.kill(first)
        world.faults.away = set()
        await world.coordinator("second")
        await until(lambda: world.floor > 0)
        assert [put.payload for put in world.store.quarantined] == ["poison"]

    run_virtually(story())


def test_a_batch_from_before_the_loss_is_not_applied_after_it() -> None:
    """A batch that waited for the store while its partition was lost and won again is dropped, and
    nothing of the partition is lost by that."""

    async def story() -> None:
        world = World()
        coordinator = await world.coordinator("first")
        await world.ask()
        await until(lambda: world.floor > 0)
        coordinator.cache.drop_partition(world.partition)
        world.faults.away = {Action.LOAD}
        world.faults.asked.clear()
        await MemoryJournal(world.bus).append(NAME, PauseRequested(), "pause")
        await until(lambda: Action.LOAD in world.faults.asked)
        before = world.floor
        world.lose()
        await until(lambda: world.partition not in coordinator.keeper.held)
        world.faults.away = set()
        await asyncio.sleep(5)
        assert world.partition not in coordinator.turns.applied
        assert world.floor == before
        assert coordinator.cache.get(NAME) is None
        del world.bus.leases[f"{PARTITION}{world.partition}"]
        await until(lambda: world.floor > before)
        loaded = await world.store.load([NAME])
        assert loaded.states[NAME].state.status.value == "paused"

    run_virtually(story())


def test_nothing_is_written_of_a_partition_that_was_lost_meanwhile() -> None:
    """What waits for the store when the partition is lost is neither stored nor acknowledged."""

    async def story() -> None:
        world = World()
        coordinator = await world.coordinator("first")
        world.faults.away = {Action.WRITE}
        await world.ask()
        await until(lambda: Action.WRITE in world.faults.asked)
        world.lose()
        await until(lambda: world.partition not in coordinator.keeper.held)
        world.faults.away = set()
        await coordinator.writer.drained()
        assert world.store.execution_ids() == []
        assert world.floor == 0

    run_virtually(story())


def test_where_another_has_gone_on_nothing_is_acknowledged() -> None:
    """A write that finds a higher sequence ends the tenure: it is not acknowledged, and what comes
    is applied only once the partition was opened again."""

    async def story() -> None:
        world = World()
        coordinator = await world.coordinator("first")
        await world.ask()
        await until(lambda: world.floor > 0)
        before = world.floor
        stored = coordinator.cache.get(NAME)
        assert stored is not None
        world.store.put(stored.model_copy(update={"seq": stored.seq + 100}))
        world.faults.away = {Action.LEASE}  # so that it cannot be opened again yet
        await MemoryJournal(world.bus).append(NAME, PauseRequested(), "pause")
        await until(lambda: world.partition not in coordinator.turns.applied)
        await MemoryJournal(world.bus).append(NAME, ResumeRequested(), "resume")
        await asyncio.sleep(5)
        assert world.floor == before, "what is not stored was acknowledged"
        assert world.partition not in coordinator.turns.applied
        world.faults.away = set()
        await until(lambda: world.floor == before + 2)

    run_virtually(story())


def test_a_state_in_hand_stays_until_its_batch_is_applied() -> None:
    """A second request for what has just ended, in a batch that waits for the store, finds
    it, though its state was stored meanwhile and would have been dropped."""

    async def story() -> None:
        world = World()
        coordinator = await world.coordinator("first")
        world.faults.away = {Action.WRITE}
        await world.ask()
        journal = MemoryJournal(world.bus)
        await journal.append(NAME, CancelRequested(), "cancel")
        await until(lambda: _has_ended(coordinator))
        world.faults.slow = {Action.LOAD}
        # At one stroke, so that they come in one batch.
        world.bus.journal.append(
            OTHER, JOURNAL_MESSAGE.dump_json(PauseRequested()), "of the unknown"
        )
        world.bus.journal.append(NAME, JOURNAL_MESSAGE.dump_json(REQUEST), "once more")
        await asyncio.sleep(0.5)
        world.faults.away = set()
        await until(lambda: world.floor > 2)
        assert len(world.store.history(NAME)) == 2

    run_virtually(story())


def _has_ended(coordinator: Coordinator) -> bool:
    stored = coordinator.cache.get(NAME)
    return stored is not None and stored.state.ended
