"""Gathers the picture of an execution, and explains it. The causes are in `shared.explain`.

What cannot be known now, since a server is away, is left out of the picture: an explanation is
wanted most when something is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import structlog
from pydantic import ValidationError

from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.outcomes import OutcomeOperations
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.parts import Parts
from shared.contracts import subjects
from shared.contracts.agents import AgentRecord
from shared.contracts.api.explain import Explanation, ExplanationView
from shared.contracts.delegations import Delegation
from shared.contracts.publishing import masked
from shared.explain.explain import explain
from shared.explain.known import failures_of
from shared.explain.past import past_of
from shared.explain.picture import Coordination, KnownBefore, Past, Picture, Undoing
from shared.outcomes.matching import what_helped
from shared.ports.quarantine import QuarantineQuery
from shared.rollback.machine import WITH_SERVICE
from shared.rollback.state import rollback_id
from shared.workflow.concurrency_key import KeyState, key_id
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState
from shared.workflow.undo_folds import is_held

log = structlog.get_logger()

T = TypeVar("T")

FACT_S: Final = 3.0
"""How long each fact may take; what takes longer is not known now."""
RECENT_RUNS: Final = 30
MOST_CHILDREN: Final = 5
"""Sub-workflows of one execution that are looked into."""
MOST_DEPTH: Final = 5
MOST_DELEGATIONS: Final = 20
MOST_FAILURES: Final = 3
MOST_CHUNKS: Final = 1_000
MOST_QUARANTINED: Final = 50


class Explaining:
    """Explains executions, and those that they called."""

    def __init__(
        self,
        parts: Parts,
        executions: ExecutionOperations,
        programs: GatewayPrograms,
        outcomes: OutcomeOperations,
    ) -> None:
        self._parts = parts
        self._outcomes = outcomes
        self._executions = executions
        self._programs = programs

    async def explain(self, execution_id: str) -> ExplanationView:
        """Why it waits, fails or is stuck. Raises 404 for one of which nothing is known."""
        found = await self._explained(execution_id, MOST_DEPTH)
        return ExplanationView.model_validate(masked(found.model_dump()))

    async def _explained(self, execution_id: str, depth: int) -> Explanation:
        state, damage = await self._state(execution_id)
        quarantined = await self._parts.quarantine.find(
            QuarantineQuery(execution_id=execution_id, limit=MOST_QUARANTINED)
        )
        if state is None and not damage and not quarantined and depth == MOST_DEPTH:
            await self._check_accepted(execution_id)
        base = Picture(
            execution_id=execution_id,
            now_ms=self._parts.clock.now_ms(),
            state=state,
            damage=damage,
            quarantined=quarantined,
            past=await self._fact(partial(self._past, state)) or Past(),
            known=await self._fact(partial(self._known, state)) or (),
        )
        if state is not None and state.ended:
            return explain(base)
        agents, coordination = await asyncio.gather(
            self._fact(self._parts.agents.live),
            self._fact(partial(self._coordination, execution_id)),
        )
        picture = replace(base, agents=agents, coordination=coordination)
        if state is not None:
            picture = replace(
                picture,
                program=await self._programs.get(state.template_id, state.template_version),
                children=await self._children(state, depth),
                delegations=await self._delegations(state),
                keys=await self._fact(partial(self._keys, state)) or {},
                heard_ms=await self._heard(state, agents),
                undoing=await self._fact(partial(self._undoing, state)),
            )
        return explain(picture)

    async def _state(self, execution_id: str) -> tuple[ExecutionState | None, str]:
        """The state, if it is stored, or why it cannot be read."""
        try:
            return await self._parts.executions.get(execution_id), ""
        except ValidationError as error:
            return None, str(error)

    async def _check_accepted(self, execution_id: str) -> None:
        """Raises 404 where the journal has nothing about it either: while no coordinator takes
        what it has, that is the only place that knows it."""
        if not await self._fact(partial(self._parts.samples.in_journal, execution_id)):
            await self._executions.state(execution_id)

    async def _coordination(self, execution_id: str) -> Coordination:
        partition = subjects.partition_of(execution_id)
        holders = await self._parts.leases.holders()
        lag = await self._parts.samples.lag(partition)
        return Coordination(partition, holders.get(f"{subjects.PARTITION_LEASE}{partition}"), lag)

    async def _past(self, state: ExecutionState | None) -> Past:
        if state is None:
            return Past()
        recent = await self._parts.executions.recent(state.template_id, RECENT_RUNS)
        return past_of(one for one in recent if one.execution_id != state.execution_id)

    async def _known(self, state: ExecutionState | None) -> Sequence[KnownBefore]:
        """The failures of its steps that are known, of which other executions had some."""
        found: list[KnownBefore] = []
        failures = failures_of(state) if state is not None else {}
        for step, failure in list(failures.items())[:MOST_FAILURES]:
            known = await self._outcomes.known(failure.code, failure.message)
            if known is not None:
                one = known.signature
                helped = what_helped(one)
                found.append(KnownBefore(step, one.id, one.pattern, one.count, helped))
        return found

    async def _children(self, state: ExecutionState, depth: int) -> Mapping[str, Explanation]:
        under_way = (StepStatus.CALLING, StepStatus.STOPPING)
        called = {n: s.child for n, s in state.steps.items() if s.child and s.status in under_way}
        some = list(called.items())[:MOST_CHILDREN] if depth else []
        return {step: await self._explained(child, depth - 1) for step, child in some}

    async def _undoing(self, state: ExecutionState) -> Undoing | None:
        """The rollback that holds it."""
        if not is_held(state):
            return None
        stored = await self._parts.rollbacks.store.get(rollback_id(state.execution_id))
        if stored is None:
            return None
        found = stored.state
        waits = found.status in WITH_SERVICE
        return Undoing(
            status=found.status.value,
            since_ms=found.changed_at_ms,
            run=found.run,
            items=len(found.keys),
            ticked=len(found.ticks),
            service=await self._fact(self._parts.rollbacks.desk.present) if waits else None,
        )

    async def _keys(self, state: ExecutionState) -> Mapping[str, KeyState]:
        """The concurrency keys of which it waits for a slot."""
        ids = {key_id(slot.key) for slot in state.slots.values() if not slot.granted}
        loaded = await self._parts.slots.load(sorted(ids))
        return {stored.state.key: stored.state for stored in loaded.states.values()}

    async def _delegations(self, state: ExecutionState) -> Mapping[str, Delegation]:
        waiting = [(n, s.token) for n, s in state.steps.items() if s.status is StepStatus.WAITING]
        found: dict[str, Delegation] = {}
        for name, token in waiting[:MOST_DELEGATIONS]:
            if token is None:
                continue
            one = await self._parts.collective.delegations.get(token.rpartition("/")[0])
            if one is not None:
                found[name] = one
        return found

    async def _heard(
        self, state: ExecutionState, agents: Sequence[AgentRecord] | None
    ) -> Mapping[str, int]:
        """When steps whose agents are gone last wrote a line; nothing where nobody knows who is."""
        if agents is None:
            return {}
        live = {agent.name for agent in agents}
        runs = (StepStatus.RUNNING, StepStatus.STOPPING)
        gone = [n for n, s in state.steps.items() if s.status in runs and s.agent not in live]
        heard = {}
        for name in gone[:MOST_CHILDREN]:
            attempt = state.steps[name].attempt
            at_ms = await self._fact(partial(self._last_line, state, name, attempt))
            heard[name] = at_ms or 0
        return heard

    async def _last_line(self, state: ExecutionState, step: str, attempt: int) -> int:
        at_ms = count = 0
        reading = self._parts.logs.read(state.execution_id, step=step, attempt=attempt)
        async with aclosing(reading) as chunks:
            async for kept in chunks:
                at_ms = kept.chunk.lines[-1].at_ms if kept.chunk.lines else at_ms
                count += 1
                if count == MOST_CHUNKS:
                    break
        return at_ms

    async def _fact(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """An answer, or `None` when a server is away. Anything else is a defect, and raised."""
        try:
            async with asyncio.timeout(FACT_S):
                return await ask()
        except Exception as error:
            if not isinstance(error, OSError) and self._parts.outage_of(error) is None:
                raise
            log.info("not known now", fact=repr(ask), error=str(error) or type(error).__name__)
            return None


async def _nothing() -> None:
    return None
