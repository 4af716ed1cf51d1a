"""The desk: serves the collective to those without a database, and tidies delegations up.

It runs in every coordinator process; requests are shared among them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from shared.contracts import rpc
from shared.contracts.control import AnswerT, QuestionT
from shared.contracts.delegations import (
    DELEGATION,
    CancelDelegation,
    Delegation,
    DelegationFilter,
    DelegationStatus,
    ExpireDelegation,
)
from shared.ports.clock import Clock
from shared.ports.collective import (
    Broadcasts,
    ConflictError,
    Delegations,
    Memories,
    Participants,
)
from shared.ports.store import ExecutionStore
from shared.workflow.machines.execution import EXECUTION
from shared.workflow.machines.step import STEP
from shared.workflow.state import ExecutionState

log = structlog.get_logger()

SWEEP_S: Final = 30.0
"""How often delegations past their deadline, or of ended steps, are looked for, in seconds."""
SWEEP_LIMIT: Final = 200

_UNENDED: Final = tuple(s for s in DelegationStatus if s not in DELEGATION.terminal)


@dataclass(frozen=True, slots=True)
class Collective:
    """The ports that the desk serves."""

    memories: Memories
    delegations: Delegations
    broadcasts: Broadcasts
    participants: Participants


class EndpointServer(Protocol):
    """Where endpoints are served."""

    async def serve(
        self,
        endpoint: rpc.Endpoint[QuestionT, AnswerT],
        handler: Callable[[QuestionT], Awaitable[AnswerT]],
    ) -> None:
        """Answer one endpoint from now on."""
        ...


async def serve_collective(server: EndpointServer, collective: Collective) -> None:
    """Serve every endpoint of `shared.contracts.rpc`."""
    await _serve_memories(server, collective.memories)
    await _serve_delegations(server, collective.delegations)
    await _serve_broadcasts(server, collective.broadcasts)
    await _serve_participants(server, collective.participants)


async def _serve_memories(server: EndpointServer, memories: Memories) -> None:
    async def remember(request: rpc.RememberRequest) -> rpc.Done:
        return rpc.Done(done=await memories.remember(request.memory))

    async def get(request: rpc.ById) -> rpc.FoundMemory:
        return rpc.FoundMemory(memory=await memories.get(request.id))

    async def recall(request: rpc.RecallRequest) -> rpc.RecallAnswer:
        return rpc.RecallAnswer(found=tuple(await memories.recall(request.query, request.now_ms)))

    async def forget(request: rpc.ById) -> rpc.Done:
        return rpc.Done(done=await memories.forget(request.id))

    await server.serve(rpc.REMEMBER, remember)
    await server.serve(rpc.GET_MEMORY, get)
    await server.serve(rpc.RECALL, recall)
    await server.serve(rpc.FORGET, forget)


async def _serve_delegations(server: EndpointServer, delegations: Delegations) -> None:
    async def offer(request: rpc.OfferRequest) -> rpc.DelegationAnswer:
        return rpc.DelegationAnswer(delegation=await delegations.offer(request.delegation))

    async def change(request: rpc.ChangeRequest) -> rpc.DelegationAnswer:
        changed = await delegations.change(request.id, request.change, request.at_ms)
        return rpc.DelegationAnswer(delegation=changed)

    async def get(request: rpc.ById) -> rpc.DelegationAnswer:
        return rpc.DelegationAnswer(delegation=await delegations.get(request.id))

    async def find(request: DelegationFilter) -> rpc.DelegationList:
        return rpc.DelegationList(delegations=tuple(await delegations.find(request)))

    async def counts(_request: rpc.Nothing) -> rpc.OpenCounts:
        return rpc.OpenCounts(counts=dict(await delegations.open_counts()))

    await server.serve(rpc.OFFER, offer)
    await server.serve(rpc.CHANGE, change)
    await server.serve(rpc.GET_DELEGATION, get)
    await server.serve(rpc.LIST_DELEGATIONS, find)
    await server.serve(rpc.OPEN_COUNTS, counts)


async def _serve_broadcasts(server: EndpointServer, broadcasts: Broadcasts) -> None:
    async def send(request: rpc.SendRequest) -> rpc.BroadcastAnswer:
        return rpc.BroadcastAnswer(broadcast=await broadcasts.send(request.broadcast))

    async def acknowledge(request: rpc.AcknowledgeRequest) -> rpc.BroadcastAnswer:
        kept = await broadcasts.acknowledge(request.id, request.acknowledgements)
        return rpc.BroadcastAnswer(broadcast=kept)

    async def get(request: rpc.ById) -> rpc.BroadcastAnswer:
        return rpc.BroadcastAnswer(broadcast=await broadcasts.get(request.id))

    async def newest(request: rpc.BroadcastPage) -> rpc.BroadcastList:
        found = await broadcasts.newest(
            before_ms=request.before_ms, before_id=request.before_id, limit=request.limit
        )
        return rpc.BroadcastList(broadcasts=tuple(found))

    async def missed(request: rpc.MissedRequest) -> rpc.BroadcastList:
        found = await broadcasts.missed(request.agent, request.now_ms, request.limit)
        return rpc.BroadcastList(broadcasts=tuple(found))

    await server.serve(rpc.SEND, send)
    await server.serve(rpc.ACKNOWLEDGE, acknowledge)
    await server.serve(rpc.GET_BROADCAST, get)
    await server.serve(rpc.LIST_BROADCASTS, newest)
    await server.serve(rpc.MISSED, missed)


async def _serve_participants(server: EndpointServer, participants: Participants) -> None:
    async def save(request: rpc.ParticipantRequest) -> rpc.Nothing:
        await participants.save(request.participant)
        return rpc.Nothing()

    async def seen(request: rpc.SeenRequest) -> rpc.Nothing:
        await participants.seen(request.name, request.at_ms)
        return rpc.Nothing()

    async def everyone(_request: rpc.Nothing) -> rpc.ParticipantList:
        return rpc.ParticipantList(participants=tuple(await participants.all()))

    async def remove(request: rpc.ById) -> rpc.Done:
        return rpc.Done(done=await participants.remove(request.id))

    await server.serve(rpc.SAVE_PARTICIPANT, save)
    await server.serve(rpc.SEEN_PARTICIPANT, seen)
    await server.serve(rpc.LIST_PARTICIPANTS, everyone)
    await server.serve(rpc.REMOVE_PARTICIPANT, remove)


class DelegationSweep:
    """Ends delegations that nobody can answer usefully any more, every `SWEEP_S` seconds."""

    def __init__(self, delegations: Delegations, executions: ExecutionStore, clock: Clock) -> None:
        self._delegations = delegations
        self._executions = executions
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Sweep from now on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Sweep no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> None:
        """Expire what is past its deadline; cancel what belongs to a step that has ended."""
        now_ms = self._clock.now_ms()
        overdue = DelegationFilter(overdue_at_ms=now_ms, limit=SWEEP_LIMIT)
        for delegation in await self._delegations.find(overdue):
            expire = ExpireDelegation(reason="not completed by its deadline")
            await self._end(delegation, expire, now_ms)
        wanted = DelegationFilter(statuses=_UNENDED, limit=SWEEP_LIMIT)
        while page := await self._delegations.find(wanted):
            await self._cancel_unwanted(page, now_ms)
            last = page[-1]
            behind = {"before_ms": last.created_at_ms, "before_id": last.id}
            wanted = wanted.model_copy(update=behind)

    async def _cancel_unwanted(self, page: Sequence[Delegation], now_ms: int) -> None:
        loaded = await self._executions.load([d.execution_id for d in page if d.execution_id])
        for delegation in page:
            stored = loaded.states.get(delegation.execution_id or "")
            if stored is not None and not is_wanted(delegation, stored.state):
                cancel = CancelDelegation(reason="the step that asked for it has ended")
                await self._end(delegation, cancel, now_ms)

    async def _end(
        self, delegation: Delegation, change: ExpireDelegation | CancelDelegation, now_ms: int
    ) -> None:
        try:
            await self._delegations.change(delegation.id, change, now_ms)
        except ConflictError as error:
            log.info("delegation ended meanwhile", reason=str(error))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except Exception as error:
                log.warning("delegations not swept now", error=str(error) or type(error).__name__)


def is_wanted(delegation: Delegation, state: ExecutionState) -> bool:
    """Whether the attempt that made a delegation may still be waiting for it.

    The stored state may be a little behind: an attempt it does not know yet is wanted.
    """
    if state.status in EXECUTION.terminal:
        return False
    step = state.steps.get(delegation.step or "")
    attempt = delegation.attempt or 0
    if step is None or step.attempt < attempt:
        return True
    return step.attempt == attempt and step.status not in STEP.terminal
