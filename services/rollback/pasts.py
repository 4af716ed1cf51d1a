"""What an execution did, read from where it is stored: its state, those of its sub-workflows, their
programs, what was captured.

States are written a moment after they were decided. What is not there yet raises `NotYetError`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from shared.ports.captures import Captures
from shared.ports.clock import Clock
from shared.ports.executions import ExecutionQueries
from shared.ports.templates import TemplateStore
from shared.rollback.past import Ran, Snapshot
from shared.workflow.binding import base
from shared.workflow.errors import DefinitionError, WorkflowError
from shared.workflow.events import StepCalled
from shared.workflow.program import CommandSignature, Program, compile_template
from shared.workflow.scheduling import MAX_DEPTH
from shared.workflow.state import ExecutionState, StepState
from shared.workflow.undo_folds import is_held

MOST_PROGRAMS: Final = 200
HISTORY_PAGE: Final = 500
STORED_WITHIN_MS: Final = 10 * 60_000
"""So long after the end of an execution its sub-workflows may not be stored yet."""
MOST_EXECUTIONS: Final = 5_000
"""Sub-workflows of one execution, at any depth."""


class NotYetError(Exception):
    """It is not stored yet; the same again a moment later may work."""


class UnknownPastError(WorkflowError):
    """What an execution did cannot be known, and why."""


class Pasts:
    """Reads what executions did."""

    def __init__(
        self,
        executions: ExecutionQueries,
        templates: TemplateStore,
        captures: Captures,
        commands: Mapping[str, CommandSignature],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._executions = executions
        self._templates = templates
        self._captures = captures
        self._commands = commands
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()

    async def held(self, execution_id: str, number: int) -> Ran:
        """An execution that is held for rollback `number`. Raises `NotYetError` while it is not."""
        state = await self._state(execution_id)
        rollback = state.rollback
        if not is_held(state) or rollback is None or rollback.number != number:
            raise NotYetError(f"{execution_id} is not held for rollback {number} yet")
        return await self._ran(state, 0, [MOST_EXECUTIONS], settled=True)

    async def now(self, execution_id: str) -> Ran:
        """An execution as it is at the moment."""
        state = await self._state(execution_id)
        return await self._ran(state, 0, [MOST_EXECUTIONS], settled=False)

    async def program(self, template_id: str, version: str) -> Program:
        """The program of a template version. Raises `UnknownPastError`."""
        key = template_id, version
        program = self._programs.get(key)
        if program is None:
            template = await self._templates.get(*key)
            if template is None:
                raise UnknownPastError(f"template {template_id}@{version} is not stored any more")
            try:
                program = compile_template(template, self._commands)
            except DefinitionError as error:
                raise UnknownPastError(f"template {template_id}@{version}: {error}") from error
            self._programs[key] = program
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        return program

    async def _ran(
        self, state: ExecutionState, depth: int, room: list[int], *, settled: bool
    ) -> Ran:
        """`room` counts the executions that may still be read; `settled`: all must have ended."""
        room[0] -= 1
        if room[0] < 0:
            raise UnknownPastError(f"it has more than {MOST_EXECUTIONS} sub-workflows")
        if settled and not state.over:
            raise NotYetError(f"the end of {state.execution_id} is not stored yet")
        program = await self.program(state.template_id, state.template_version)
        children: dict[str, tuple[Ran, ...]] = {}
        if depth < MAX_DEPTH:
            for key, ids in (await self._called(state, program)).items():
                found = [await self._child(state, one, settled=settled) for one in ids]
                there = [child for child in found if child is not None]
                children[key] = tuple(
                    [await self._ran(child, depth + 1, room, settled=settled) for child in there]
                )
        mark = f"at-{state.version}" if settled else ""
        return Ran(program, state, children, await self._captured(state.execution_id, mark))

    async def _child(
        self, parent: ExecutionState, child_id: str, *, settled: bool
    ) -> ExecutionState | None:
        """A sub-workflow. What it did must be known before anything is undone."""
        child = await self._executions.get(child_id)
        if child is not None or not settled:
            return child
        if self._clock.now_ms() - parent.ended_at_ms < STORED_WITHIN_MS:
            raise NotYetError(f"sub-workflow {child_id} is not stored yet")
        raise UnknownPastError(f"what sub-workflow {child_id} did is not stored any more")

    async def _called(self, state: ExecutionState, program: Program) -> Mapping[str, Sequence[str]]:
        """The sub-workflows of each call, oldest first. Those of earlier attempts only the history
        knows."""
        calls = {
            key: step
            for key, step in state.steps.items()
            if step.child and not step.kept_from
            if program.step(base(key)).step.workflow is not None
        }
        found: dict[str, list[str]] = {key: [] for key in calls}
        again = {key for key, step in calls.items() if step.attempt > 1 or step.rounds}
        if again:
            async for key, child in self._calls_of(state.execution_id):
                if key in again and child != calls[key].child:
                    found[key].append(child)
        for key, step in calls.items():
            if step.child and not _is_refused(step):
                found[key].append(step.child)
        return found

    async def _calls_of(self, execution_id: str) -> AsyncIterator[tuple[str, str]]:
        after = 0
        while page := await self._executions.history(
            execution_id, after_seq=after, limit=HISTORY_PAGE
        ):
            for entry in page:
                for event in entry.events:
                    if isinstance(event, StepCalled):
                        yield event.step, event.child
            after = page[-1].seq

    async def _captured(self, execution_id: str, mark: str) -> Mapping[str, Sequence[Snapshot]]:
        """What was kept; with a `mark` certainly all of it. Of a step of which nothing was kept a
        plan says that it has not begun."""
        found: dict[str, list[Snapshot]] = {}
        if mark:
            manifests = await self._captures.settled(execution_id, mark)
        else:
            manifests = await self._captures.of_execution(execution_id)
        for one in sorted(manifests, key=lambda m: (m.attempt, m.at_ms, m.agent)):
            snapshot = Snapshot(one.agent, one.output, one.restorable)
            found.setdefault(one.step, []).append(snapshot)
        return found

    async def _state(self, execution_id: str) -> ExecutionState:
        state = await self._executions.get(execution_id)
        if state is None:
            raise NotYetError(f"{execution_id} is not stored yet")
        return state


def _is_refused(step: StepState) -> bool:
    """True for a call whose sub-workflow never came to be."""
    return step.failure is not None and step.failure.code == "child_refused"
