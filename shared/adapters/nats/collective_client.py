"""The collective for a process without a database: its ports over request and reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import CALL_S, call
from shared.collective.verbs import DelegationVerbs
from shared.contracts import rpc
from shared.contracts.collective import (
    Acknowledgement,
    Broadcast,
    Memory,
    MemoryQuery,
    Participant,
    Recalled,
)
from shared.contracts.control import AnswerT, QuestionT
from shared.contracts.delegations import Delegation, DelegationChange, DelegationFilter
from shared.ports.collective import NotFoundError


class _Client:
    def __init__(self, bus: Bus, timeout_s: float = CALL_S) -> None:
        self._bus = bus
        self._timeout_s = timeout_s

    async def _call(
        self, endpoint: rpc.Endpoint[QuestionT, AnswerT], request: QuestionT
    ) -> AnswerT:
        return await call(self._bus, endpoint, request, self._timeout_s)


class RemoteMemories(_Client):
    """The collective memory, by request."""

    async def remember(self, memory: Memory) -> bool:
        """Keep it; false when one with this id is kept already."""
        return (await self._call(rpc.REMEMBER, rpc.RememberRequest(memory=memory))).done

    async def get(self, memory_id: str) -> Memory | None:
        """One memory."""
        return (await self._call(rpc.GET_MEMORY, rpc.ById(id=memory_id))).memory

    async def recall(self, query: MemoryQuery, now_ms: int) -> Sequence[Recalled]:
        """What fits and has not expired, best first."""
        request = rpc.RecallRequest(query=query, now_ms=now_ms)
        return (await self._call(rpc.RECALL, request)).found

    async def forget(self, memory_id: str) -> bool:
        """Remove it."""
        return (await self._call(rpc.FORGET, rpc.ById(id=memory_id))).done


class RemoteDelegations(_Client, DelegationVerbs):
    """Delegations, by request."""

    async def offer(self, delegation: Delegation) -> Delegation:
        """Keep a new one; gives the one with this id that is kept already, if there is."""
        answer = await self._call(rpc.OFFER, rpc.OfferRequest(delegation=delegation))
        return _present(answer.delegation, delegation.id)

    async def get(self, delegation_id: str) -> Delegation | None:
        """One delegation."""
        return (await self._call(rpc.GET_DELEGATION, rpc.ById(id=delegation_id))).delegation

    async def find(self, wanted: DelegationFilter) -> Sequence[Delegation]:
        """Those that fit, newest first."""
        return (await self._call(rpc.LIST_DELEGATIONS, wanted)).delegations

    async def open_counts(self) -> Mapping[str, int]:
        """How many open delegations each participant has."""
        return (await self._call(rpc.OPEN_COUNTS, rpc.Nothing())).counts

    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Apply one change; gives the delegation after it."""
        request = rpc.ChangeRequest(id=delegation_id, change=change, at_ms=at_ms)
        answer = await self._call(rpc.CHANGE, request)
        return _present(answer.delegation, delegation_id)


class RemoteBroadcasts(_Client):
    """Broadcasts, by request."""

    async def send(self, broadcast: Broadcast) -> Broadcast:
        """Keep it; gives the one with this id that is kept already, if there is."""
        answer = await self._call(rpc.SEND, rpc.SendRequest(broadcast=broadcast))
        return _present(answer.broadcast, broadcast.id)

    async def get(self, broadcast_id: str) -> Broadcast | None:
        """One broadcast."""
        return (await self._call(rpc.GET_BROADCAST, rpc.ById(id=broadcast_id))).broadcast

    async def acknowledge(
        self, broadcast_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> Broadcast:
        """Agents have it."""
        request = rpc.AcknowledgeRequest(id=broadcast_id, acknowledgements=tuple(acknowledgements))
        answer = await self._call(rpc.ACKNOWLEDGE, request)
        return _present(answer.broadcast, broadcast_id)

    async def newest(
        self, *, before_ms: int | None = None, before_id: str = "", limit: int = 50
    ) -> Sequence[Broadcast]:
        """Newest first."""
        request = rpc.BroadcastPage(before_ms=before_ms, before_id=before_id, limit=limit)
        return (await self._call(rpc.LIST_BROADCASTS, request)).broadcasts

    async def missed(self, agent: str, now_ms: int, limit: int = 100) -> Sequence[Broadcast]:
        """Those not expired that this agent has not acknowledged, oldest first."""
        request = rpc.MissedRequest(agent=agent, now_ms=now_ms, limit=limit)
        return (await self._call(rpc.MISSED, request)).broadcasts


class RemoteParticipants(_Client):
    """Participants, by request."""

    async def save(self, participant: Participant) -> None:
        """Register, or replace what was known."""
        request = rpc.ParticipantRequest(participant=participant)
        await self._call(rpc.SAVE_PARTICIPANT, request)

    async def seen(self, name: str, at_ms: int) -> None:
        """It was heard of."""
        await self._call(rpc.SEEN_PARTICIPANT, rpc.SeenRequest(name=name, at_ms=at_ms))

    async def get(self, name: str) -> Participant | None:
        """One participant."""
        return next((p for p in await self.all() if p.name == name), None)

    async def all(self) -> Sequence[Participant]:
        """All, by name."""
        return (await self._call(rpc.LIST_PARTICIPANTS, rpc.Nothing())).participants

    async def remove(self, name: str) -> bool:
        """Forget it."""
        return (await self._call(rpc.REMOVE_PARTICIPANT, rpc.ById(id=name))).done


PresentT = TypeVar("PresentT")


def _present(found: PresentT | None, wanted_id: str) -> PresentT:
    if found is None:
        raise NotFoundError(f"there is nothing with id {wanted_id}")
    return found
