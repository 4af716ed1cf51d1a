"""Worlds whose executions are rolled back: by people at any moment, and by policy.

What steps change is kept in a world of its own, a mark for each step that did something. A mark may
be there though the step failed, was stopped or lost midway: half of the time it is set at the
beginning. What undoes a step takes its mark away; it may fail, too. In the end:

* What a rollback says it undid is undone: no mark of it is left.
* After a complete one no mark is left of all that was to be undone. So the world is as it was at
  the beginning, or at the checkpoint.
* Nothing is undone while something that depended on it is not.
* The service that plans is killed at any moment, as coordinators and agents are.

A step of which nobody could prove that it had stopped may set its mark when all is over: that is
what `proof.gone: false` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel

from services.executor.commands.base import Command, CommandContext, Completed, Failed, Outcome
from services.executor.coordinator.programs import Programs
from services.rollback.accounting import account
from services.rollback.desk import Desk
from services.rollback.pasts import Pasts
from services.rollback.worker import Worker
from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.contracts import subjects
from shared.contracts.actors import StoredRollback
from shared.memory.rollback_plans import MemoryPlanStore
from shared.ports.templates import StoredTemplate
from shared.rollback.items import Plan
from shared.rollback.messages import RollbackRequested
from shared.rollback.state import RollbackState, rollback_id
from shared.runtime.meters import ErrorMeter, RollbackMeter, new_registry
from shared.workflow.binding import base
from shared.workflow.definition import Step, Template
from shared.workflow.messages import Actor
from shared.workflow.program import Program
from shared.workflow.replay import HistoryEntry
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.way_back import RollbackAction, RollbackPolicy
from tests.simulation.core_templates import COMMANDS
from tests.simulation.system.checks import Record
from tests.simulation.system.commands import Anything, Ledger, Simulated, commands
from tests.simulation.system.people import People
from tests.simulation.system.ports import Feed, Journal
from tests.simulation.system.servers import Store
from tests.simulation.system.templates import CHILD, template_of
from tests.simulation.system.world import TEMPLATES, World, _Programs

Key = tuple[str, str]
"""Execution, step or instance."""
UNDOERS: Final = ("undoer-0", "undoer-1")
UNDO: Final = "undo"


@dataclass
class Marks:
    """What steps changed, and when each mark was set, in seconds of the loop."""

    ledger: Ledger
    set_at: dict[Key, float] = field(default_factory=dict)
    taken: list[tuple[Key, frozenset[Key], float]] = field(default_factory=list)
    """What was undone, what else was there then, and when."""

    def set(self, key: Key) -> None:
        self.set_at[key] = self.ledger.clock.loop_s()

    def take(self, key: Key) -> None:
        there = frozenset(self.set_at) - {key}
        self.set_at.pop(key, None)
        self.taken.append((key, there, self.ledger.clock.loop_s()))


class Marking(Simulated):
    """`noop`, which leaves a mark: at the beginning or at the end."""

    def __init__(self, plain: Simulated, marks: Marks) -> None:
        self.spec = plain.spec
        self._ledger = plain._ledger
        self._marks = marks

    async def run(self, params: Anything, context: CommandContext) -> Outcome:
        """Work, and change something."""
        key = context.execution_id, context.step_id
        early = self._ledger.rng.random() < 0.5
        if early:
            self._marks.set(key)
        outcome = await super().run(params, context)
        if not early and isinstance(outcome, Completed):
            self._marks.set(key)
        return outcome


class Undoing(Simulated):
    """Takes the mark of a step away, or fails."""

    def __init__(self, plain: Simulated, marks: Marks) -> None:
        self.spec = plain.spec.model_copy(update={"name": UNDO})
        self._ledger = plain._ledger
        self._marks = marks

    async def run(self, params: BaseModel, context: CommandContext) -> Outcome:
        """Undo."""
        given = params.model_dump()
        self._ledger.begin(UNDO, Anything(**given), context)
        rng, temper = self._ledger.rng, self._ledger.temper
        await asyncio.sleep(rng.uniform(0, temper.most_s))
        if rng.random() < temper.fails / 2:
            return Failed("exit_1", "not now", retryable=rng.random() < 0.8)
        index = f"[{given['index']}]" if given.get("index") is not None else ""
        self._marks.take((given["execution"], given["step"] + index))
        return Completed({"n": 2})


class Undoers(People):
    """People who also want executions undone."""

    async def _meddle(self, execution_id: str) -> None:
        await super()._meddle(execution_id)
        if self.rng.random() < 0.8:
            await asyncio.sleep(self.rng.choice((0, 3, 15, 40)) * self.rng.random())
            await self.roll_back(execution_id)
        if self.rng.random() < 0.3:
            await asyncio.sleep(self.rng.uniform(5, 40))
            await self.roll_back(execution_id)

    async def roll_back(self, execution_id: str) -> None:
        """Ask for a rollback."""
        strategy: Any = self.rng.choice(("immediate", "graceful", "graceful", "checkpoint"))
        self._count += 1
        wish = RollbackRequested(
            execution_id=execution_id,
            strategy=strategy,
            by=Actor(id="olga"),
            request=f"r{self._count}",
        )
        journal = cast("Journal", self.journal)
        await journal.append(rollback_id(execution_id), wish, f"people.{self._count}")


class _Queries:
    """States and histories as they are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, execution_id: str) -> ExecutionState | None:
        loaded = await self._store.load([execution_id])
        found = loaded.states.get(execution_id)
        return found.state if found is not None else None

    async def history(
        self, execution_id: str, *, after_seq: int = 0, limit: int = 500
    ) -> Sequence[HistoryEntry]:
        await self._store.load([execution_id])  # may fail, as a read does
        found = self._store.history(execution_id)
        return [entry for entry in found if entry.seq > after_seq][:limit]


@cache
def _meter() -> RollbackMeter:
    registry = new_registry("rollback", "1")
    return RollbackMeter(registry, ErrorMeter(registry))


class _OwnPrograms(_Programs):
    """Programs of one world: here the sub-workflow has a way back, too."""

    async def get(self, template_id: str, version: str) -> Program:
        """The program."""
        return await Programs.get(self, template_id, version)

    def cached(self, template_id: str, version: str) -> Program | None:
        """The program if it is in hand."""
        return Programs.cached(self, template_id, version)


class UndoWorld(World):
    """One seed's world of rollbacks."""

    def __init__(self, seed: int, home: Path) -> None:
        self.marks: Marks | None = None
        super().__init__(seed, home)
        self._programs = _OwnPrograms(self._templates, COMMANDS)
        self.plans = MemoryPlanStore(self.weather)

    def _commands(self) -> Sequence[Command]:
        noop, look = commands(self.ledger)
        self.marks = Marks(self.ledger)
        return [Marking(noop, self.marks), look, Undoing(noop, self.marks)]

    def _everybody(self) -> People:
        return Undoers(self._rng, self.store, Journal(self.bus, self.network), self.ledger)

    def _others(self) -> Mapping[str, Callable[[str], Awaitable[None]]]:
        return dict.fromkeys(UNDOERS, self._undoer)

    async def _undoer(self, _name: str) -> None:
        """A rollback service."""
        registry = CommandRegistry([command.spec for command in self._commands_known()])
        queries: Any = _Queries(self.store)
        desk = Desk(
            pasts=Pasts(queries, self._templates, self.captures, signatures(registry), self.clock),
            executions=queries,
            templates=self._templates,
            plans=self.plans,
            registry=registry,
            clock=self.clock,
        )
        feed = Feed(self.bus, "", [], slots=4, pools=(subjects.pool_rollback(),))
        worker = Worker(
            feed, Journal(self.bus, self.network), desk, _meter(), 4, outage_of=lambda _error: None
        )
        await feed.start()
        worker.start()
        await worker.loop

    def _commands_known(self) -> Sequence[Command]:
        return [self._catalog[name] for name in ("noop", "look", UNDO)]

    async def _write_templates(self) -> list[str]:
        made = [template_of(self._rng, f"t{number}") for number in range(TEMPLATES)]
        undoable = [self._undoable(template) for template in (CHILD, *made)]
        for template in undoable:
            await self._templates.put(StoredTemplate(template, "hash", 0))
        return [template.id for template in made]

    def _undoable(self, template: Template) -> Template:
        """The same with a way back for what leaves a mark, and maybe a policy."""
        rng = self._rng
        changed = {
            name: tuple(_with_way_back(step) for step in getattr(template, name))
            for name in ("steps", "on_failure", "always")
        }
        policy = RollbackPolicy(
            strategy=rng.choice(("immediate", "graceful")),
            on_failure=rng.random() < 0.4,
            on_cancel=rng.random() < 0.3,
        )
        policies = template.policies.model_copy(update={"rollback": policy})
        whole = template.model_copy(update={**changed, "policies": policies})
        dumped = whole.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return Template.model_validate(dumped)

    def _is_over(self) -> bool:
        return all(state.over for state in self._all())

    def _all(self) -> list[RollbackState]:
        stored = self.rollbacks._stored.values()
        return [StoredRollback.model_validate_json(text).state for _, text in stored]

    def _undone(self, records: Sequence[Record]) -> Iterator[str]:
        known = {record.execution_id: record for record in records}
        for state in self._all():
            plans = [Plan.model_validate_json(t) for (e, _), t in self.plans._plans.items()
                     if e == state.execution_id]  # fmt: skip
            yield from self._of_one(state, plans, known)
            yield from _not_again(state, plans, known)
        yield from self._in_order(known)

    def _of_one(
        self, state: RollbackState, plans: Sequence[Plan], known: Mapping[str, Record]
    ) -> Iterator[str]:
        assert self.marks is not None
        where = {i.key: (i.execution_id, i.step) for plan in plans for i in plan.items}
        for key in state.undone:
            if where[key] in self.marks.set_at and not self._unproven(where[key], known):
                yield f"{state.id} says that {key} is undone, and it is not"
        newest = next((plan for plan in plans if plan.number == state.number), None)
        if state.status != "rolled_back" or newest is None:
            return
        kept = {base(one.key.partition("/")[0]) for one in newest.spared if _is_kept(one.reason)}
        for execution, step, top in _family(state.execution_id, known):
            mark = execution, step
            wanted = base(top) not in kept
            if mark in self.marks.set_at and wanted and not self._unproven(mark, known):
                yield f"{state.id} is complete, and {execution} {step} is not undone"

    def _unproven(self, key: Key, known: Mapping[str, Record]) -> bool:
        """Whether it may have gone on after its end: then its mark may come late."""
        assert self.marks is not None
        step = known[key[0]].state.steps[key[1]]
        late = [one for one in step.attempts if one.outcome == "lost" or _is_unproven(one.proof)]
        ended_s = [at for taken, _, at in self.marks.taken if taken == key]
        return bool(late) or (step.mark is not None and not ended_s)

    def _spared(self, execution_id: str) -> frozenset[str]:
        """What some rollback of an execution was not asked to undo."""
        plans = (Plan.model_validate_json(text) for (e, _), text in self.plans._plans.items()
                 if e == execution_id)  # fmt: skip
        return frozenset(one.key for plan in plans for one in plan.spared
                         if "asked for" in one.reason)  # fmt: skip

    def _in_order(self, known: Mapping[str, Record]) -> Iterator[str]:
        """Nothing is undone while something that depended on it is there, and can be undone. (A
        step that joins any of several may have begun without one of them.)"""
        assert self.marks is not None
        apart = {state.execution_id: self._spared(state.execution_id) for state in self._all()}
        for (execution, step), there, _ in self.marks.taken:
            graph = known[execution].program.graph
            for other, name in there:
                if other != execution or self._unproven((other, name), known):
                    continue
                steps = known[execution].state.steps
                came_after = steps[step].ended_at_ms <= steps[name].begun_at_ms
                if name in apart.get(execution, ()):
                    continue
                if came_after and base(step) in graph.ancestors.get(base(name), ()):
                    yield f"{execution} {step} was undone before {name}, which came after it"


def _not_again(
    state: RollbackState, plans: Sequence[Plan], known: Mapping[str, Record]
) -> Iterator[str]:
    """What one rollback undid no later one undoes."""
    runs = {one.number: one.run for one in state.rounds} | {state.number: state.run}
    done: set[str] = set()
    for plan in sorted(plans, key=lambda one: one.number):
        twice = done & {item.key for item in plan.items}
        if twice:
            yield f"{state.id} undoes {sorted(twice)} once more"
        run = known.get(runs.get(plan.number, ""))
        done.update(account(plan, run.state)[0] if run is not None else ())


def _is_kept(reason: str) -> bool:
    """Whether something was spared since it was done by the checkpoint, or not asked for."""
    return "done by checkpoint" in reason or "asked for" in reason


def _is_unproven(proof: Any) -> bool:
    return proof is not None and not proof.gone


def _family(
    execution_id: str, known: Mapping[str, Record], top: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Every step of an execution and its sub-workflows, with the topmost step that it is under."""
    record = known.get(execution_id)
    if record is None:
        return
    steps: Mapping[str, StepState] = record.state.steps
    for key, step in steps.items():
        yield execution_id, key, top or key
        if step.child:
            yield from _family(step.child, known, top or key)


def _with_way_back(step: Step) -> Step:
    if step.command != "noop":
        return step
    parameters: dict[str, Any] = {"execution": "${{ execution.id }}", "step": step.id}
    if step.foreach is not None or step.target.is_fleet:
        parameters["index"] = "${{ index }}"
    undo = RollbackAction(command=UNDO, parameters=parameters, idempotent=True)
    return step.model_copy(update={"rollback": undo})
