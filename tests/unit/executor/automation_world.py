"""Coordinators over memory that share schedules, and can be killed at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.executor.coordinator.actors import Actors
from services.executor.coordinator.automations import Automations
from services.executor.coordinator.coordinator import Coordinator
from services.executor.coordinator.programs import Programs
from shared.automation.states import ScheduleState
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts.agents import AgentRecord
from shared.contracts.run_validation import RunToValidate
from shared.memory.actors import MemoryAutomationStore
from shared.memory.bus import MemoryBus
from shared.memory.clock import ManualClock
from shared.memory.effects import MemoryEffects
from shared.memory.execution_store import MemoryExecutionStore
from shared.memory.journal import MemoryJournal, MemoryJournalReader
from shared.memory.leases import MemoryLeases
from shared.memory.templates import MemoryTemplateStore
from shared.ports.templates import StoredTemplate
from shared.runtime.meters import CoordinatorMeter, ErrorMeter, new_registry
from shared.workflow.definition import Template
from shared.workflow.messages import Message, RunValidated
from shared.workflow.state import ExecutionState
from tests.judge import judge_over

START_MS = 1_767_268_800_000
"""1 January 2026, 12:00 UTC."""
TICK_MS = 100
AGENT = AgentRecord(name="a", host="h", version="1", started_at_ms=0, seen_at_ms=0, slots=3)


def template(template_id: str, version: str = "1.0.0", *, ends: bool = True) -> Template:
    """One that ends at once, or one whose step waits for an agent that never takes it."""
    step: dict[str, Any] = {"id": "a", "command": "noop"}
    if ends:
        step["when"] = "false"
    return Template.model_validate(
        {"id": template_id, "name": template_id, "version": version, "steps": [step]}
    )


@dataclass
class World:
    bus: MemoryBus
    executions: MemoryExecutionStore = field(default_factory=MemoryExecutionStore)
    automations: MemoryAutomationStore = field(default_factory=MemoryAutomationStore)
    templates: MemoryTemplateStore = field(default_factory=MemoryTemplateStore)
    coordinators: list[Coordinator] = field(default_factory=list)
    sent: int = 0
    refuses: str = ""
    """Why every run is refused; empty while they may run."""

    async def look(self, _run: RunToValidate) -> RunValidated:
        return RunValidated(refused=self.refuses)

    async def template(self, *args: Any, **values: Any) -> None:
        await self.templates.put(StoredTemplate(template(*args, **values), "hash", 0, "bob"))

    async def coordinator(self, owner: str) -> Coordinator:
        registry = new_registry("executor", "1")
        effects = MemoryEffects(self.bus)
        meter = CoordinatorMeter(registry, ErrorMeter(registry))
        made = Coordinator(
            owner=owner,
            reader=MemoryJournalReader(self.bus),
            effects=effects,
            store=self.executions,
            programs=Programs(self.templates, signatures(CommandRegistry.installed())),
            leases=MemoryLeases(self.bus),
            agents=lambda: [AGENT],
            meter=meter,
            actors=Actors(Automations(self.automations, self.templates, effects, meter)),
        )
        await made.start()
        self.coordinators.append(made)
        return made

    async def kill(self, coordinator: Coordinator) -> None:
        """It does nothing any more; its leases are left to expire."""
        self.coordinators.remove(coordinator)
        keeper = coordinator.keeper._task  # nothing else stops it without giving leases up
        tasks = [*coordinator.loops, *([keeper] if keeper is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def say(self, automation_id: str, message: Message) -> None:
        self.sent += 1
        await MemoryJournal(self.bus).append(automation_id, message, f"said.{self.sent}")

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def schedule(self, schedule_id: str) -> ScheduleState:
        found = await self.automations.peek(schedule_id)
        assert found is not None
        assert isinstance(found.state, ScheduleState)
        return found.state

    async def until(self, holds: Callable[[], Any], seconds: float = 60) -> None:
        """Wait in virtual time."""
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110 - time is virtual
                await asyncio.sleep(0.05)

    async def all_executions(self) -> list[ExecutionState]:
        ids = list(self.executions.execution_ids())
        return [stored.state for stored in (await self.executions.load(ids)).states.values()]

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_MS / 1_000)
            self.bus.clock.advance(TICK_MS)


@asynccontextmanager
async def new_world() -> AsyncIterator[World]:
    """Within a loop of virtual time."""
    world = World(MemoryBus(ManualClock(START_MS)))
    ticking = asyncio.create_task(world.tick())
    judge = judge_over(world.bus, world.look)
    judge.start()
    try:
        yield world
    finally:
        await judge.close()
        for coordinator in list(world.coordinators):
            await world.kill(coordinator)
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
