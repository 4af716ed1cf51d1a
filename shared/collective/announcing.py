"""The collective that tells: what is kept is then published, and who waits for it is woken.

These wrap any implementation of the ports, in the processes that own the database. First the change
is stored, then the event is published, then the waiting step is woken. A crash in between leaves
the rest undone; whoever asked gets no answer and asks again, the change is found done, and the rest
follows: ids of events and messages depend only on what happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.collective.verbs import DelegationVerbs
from shared.contracts.collective import (
    Acknowledgement,
    Broadcast,
    Memory,
    MemoryQuery,
    Origin,
    Recalled,
)
from shared.contracts.delegations import (
    Delegation,
    DelegationChange,
    DelegationFilter,
    DelegationStatus,
    WatchDelegation,
)
from shared.contracts.events import PublicEvent
from shared.ports.clock import Clock
from shared.ports.collective import Broadcasts, Delegations, Memories
from shared.ports.events import EventSink
from shared.ports.journal import Journal
from shared.workflow.messages import AttemptWoken

_S = DelegationStatus
_WAKES: Final[Mapping[str, frozenset[DelegationStatus]]] = {
    "offered": frozenset(),
    "accepted": frozenset({_S.ACCEPTED, _S.COMPLETED, _S.DECLINED, _S.CANCELLED}),
    "completed": frozenset({_S.COMPLETED, _S.DECLINED, _S.CANCELLED}),
}
"""What a step waits for, and at which states it must look. Expiry it finds by its own timer."""


class AnnouncedMemories:
    """Memories, with `memory.remembered` and `memory.forgotten`. Events hold no content."""

    def __init__(self, memories: Memories, events: EventSink, clock: Clock) -> None:
        self._memories = memories
        self._events = events
        self._clock = clock

    async def remember(self, memory: Memory) -> bool:
        """Keep it and say so."""
        new = await self._memories.remember(memory)
        await self._events.publish(
            PublicEvent(
                id=f"memory.remembered.{memory.id}",
                type="memory.remembered",
                at_ms=memory.created_at_ms,
                execution_id=_execution(memory.origin),
                data={
                    "memory_id": memory.id,
                    "category": memory.category,
                    "tags": list(memory.tags),
                    "importance": memory.importance,
                    "author": memory.author,
                },
            ),
            about=memory.id,
        )
        return new

    async def get(self, memory_id: str) -> Memory | None:
        """One memory."""
        return await self._memories.get(memory_id)

    async def recall(self, query: MemoryQuery, now_ms: int) -> Sequence[Recalled]:
        """What fits and has not expired, best first."""
        return await self._memories.recall(query, now_ms)

    async def forget(self, memory_id: str) -> bool:
        """Remove it and say so."""
        was_there = await self._memories.forget(memory_id)
        if was_there:
            await self._events.publish(
                PublicEvent(
                    id=f"memory.forgotten.{memory_id}",
                    type="memory.forgotten",
                    at_ms=self._clock.now_ms(),
                    data={"memory_id": memory_id},
                ),
                about=memory_id,
            )
        return was_there


class AnnouncedBroadcasts:
    """Broadcasts, with `broadcast.sent` and `broadcast.acknowledged`."""

    def __init__(self, broadcasts: Broadcasts, events: EventSink, clock: Clock) -> None:
        self._broadcasts = broadcasts
        self._events = events
        self._clock = clock

    async def send(self, broadcast: Broadcast) -> Broadcast:
        """Keep it and say so."""
        kept = await self._broadcasts.send(broadcast)
        data = {
            "message": kept.message,
            "category": kept.category,
            "severity": kept.severity.value,
            "sender": kept.sender,
            "expected": list(kept.expected),
        }
        await self._publish(kept, "sent", "", kept.sent_at_ms, data)
        return kept

    async def get(self, broadcast_id: str) -> Broadcast | None:
        """One broadcast."""
        return await self._broadcasts.get(broadcast_id)

    async def acknowledge(
        self, broadcast_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> Broadcast:
        """Agents have it; say how many now do."""
        kept = await self._broadcasts.acknowledge(broadcast_id, acknowledgements)
        have = sorted(kept.acknowledged_by())
        data = {"acknowledged_by": have, "missing": sorted(set(kept.expected) - set(have))}
        await self._publish(kept, "acknowledged", f".{len(have)}", self._clock.now_ms(), data)
        return kept

    async def newest(
        self, *, before_ms: int | None = None, before_id: str = "", limit: int = 50
    ) -> Sequence[Broadcast]:
        """Newest first."""
        return await self._broadcasts.newest(before_ms=before_ms, before_id=before_id, limit=limit)

    async def missed(self, agent: str, now_ms: int, limit: int = 100) -> Sequence[Broadcast]:
        """Those not expired that this agent has not acknowledged, oldest first."""
        return await self._broadcasts.missed(agent, now_ms, limit)

    async def _publish(
        self, kept: Broadcast, what: str, suffix: str, at_ms: int, data: dict[str, Any]
    ) -> None:
        await self._events.publish(
            PublicEvent(
                id=f"broadcast.{what}.{kept.id}{suffix}",
                type=f"broadcast.{what}",
                at_ms=at_ms,
                execution_id=_execution(kept.origin),
                data={"broadcast_id": kept.id, **data},
            ),
            about=kept.id,
        )


class AnnouncedDelegations(DelegationVerbs):
    """Delegations, with `delegation.<status>`; the step that waits is woken by an answer."""

    def __init__(self, delegations: Delegations, events: EventSink, journal: Journal) -> None:
        self._delegations = delegations
        self._events = events
        self._journal = journal

    async def offer(self, delegation: Delegation) -> Delegation:
        """Keep it and say so."""
        kept = await self._delegations.offer(delegation)
        await self._publish(kept, kept.created_at_ms)
        return kept

    async def get(self, delegation_id: str) -> Delegation | None:
        """One delegation."""
        return await self._delegations.get(delegation_id)

    async def find(self, wanted: DelegationFilter) -> Sequence[Delegation]:
        """Those that fit, newest first."""
        return await self._delegations.find(wanted)

    async def open_counts(self) -> Mapping[str, int]:
        """How many open delegations each participant has."""
        return await self._delegations.open_counts()

    async def change(self, delegation_id: str, change: DelegationChange, at_ms: int) -> Delegation:
        """Apply it, say so, wake who waits for it."""
        kept = await self._delegations.change(delegation_id, change, at_ms)
        if not isinstance(change, WatchDelegation):
            await self._publish(kept, at_ms)
            await self._wake(kept)
        return kept

    async def _publish(self, kept: Delegation, at_ms: int) -> None:
        status = kept.status.value
        await self._events.publish(
            PublicEvent(
                id=f"delegation.{status}.{kept.id}.{len(kept.offers)}",
                type=f"delegation.{status}",
                at_ms=at_ms,
                execution_id=kept.execution_id,
                data={
                    "delegation_id": kept.id,
                    "participant": kept.participant,
                    "task": kept.task,
                    "priority": kept.priority.value,
                    "step": kept.step,
                    "offers": len(kept.offers),
                    "deadline_ms": kept.deadline_ms,
                    "reason": kept.reason,
                },
            ),
            about=kept.id,
        )

    async def _wake(self, kept: Delegation) -> None:
        if kept.execution_id is None or kept.status not in _WAKES[kept.wait_for]:
            return
        woken = AttemptWoken(
            step=kept.step or "",
            attempt=kept.attempt or 1,
            leg=kept.leg,
            token=kept.token(),
            cause=f"delegation {kept.status.value} by {kept.participant}",
        )
        message_id = f"woken.{kept.token()}.{kept.status.value}.{len(kept.offers)}"
        await self._journal.append(kept.execution_id, woken, message_id)


def _execution(origin: Origin | None) -> str | None:
    return None if origin is None else origin.execution_id
