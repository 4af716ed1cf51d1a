"""The fleet, memories and broadcasts."""

from __future__ import annotations

from services.gateway import problems
from services.gateway.operations.refusals import refusals
from services.gateway.parts import Parts
from services.gateway.permissions import Permission, Principal
from shared.contracts.api.collective import (
    BroadcastPage,
    Fleet,
    NewBroadcast,
    NewMemory,
    NewParticipant,
    RecalledMemories,
    Removed,
)
from shared.contracts.collective import Broadcast, Memory, MemoryQuery, Participant
from shared.contracts.control import BROADCAST, BroadcastNotice


class FleetOperations:
    """Live agents, and participants."""

    def __init__(self, parts: Parts) -> None:
        self._agents = parts.agents
        self._participants = parts.collective.participants
        self._clock = parts.clock

    async def show(self) -> Fleet:
        """Everybody."""
        with refusals():
            participants = await self._participants.all()
        return Fleet(agents=tuple(await self._agents.live()), participants=tuple(participants))

    async def register(self, wanted: NewParticipant, principal: Principal) -> Participant:
        """Register a participant, or replace what was known of it. Raises 403."""
        self._own(wanted.name, principal)
        participant = Participant(**wanted.model_dump(), last_seen_ms=self._clock.now_ms())
        with refusals():
            await self._participants.save(participant)
        return participant

    async def remove(self, name: str, principal: Principal) -> Removed:
        """Forget a participant. Raises 403 and 404."""
        self._own(name, principal)
        with refusals():
            if not await self._participants.remove(name):
                raise problems.not_found("participant", name, "GET /api/v1/agents lists them.")
        return Removed(id=name)

    def _own(self, name: str, principal: Principal) -> None:
        if name != principal.name and not principal.may(Permission.RUN):
            raise problems.problem(
                "forbidden",
                f"Key {principal.name!r} registers and removes only itself; an operator's key may "
                "do it for others.",
            )


class MemoryOperations:
    """The collective memory."""

    def __init__(self, parts: Parts) -> None:
        self._memories = parts.collective.memories
        self._clock = parts.clock
        self._ids = parts.ids

    async def remember(self, wanted: NewMemory, principal: Principal) -> Memory:
        """Keep it."""
        now_ms = self._clock.now_ms()
        life_s = wanted.expires_in_s
        memory = Memory(
            id=self._ids.new("mem"),
            content=wanted.content,
            category=wanted.category,
            tags=wanted.tags,
            importance=wanted.importance,
            created_at_ms=now_ms,
            expires_at_ms=None if life_s is None else now_ms + round(life_s * 1_000),
            author=principal.name,
        )
        with refusals():
            await self._memories.remember(memory)
        return memory

    async def recall(self, query: MemoryQuery) -> RecalledMemories:
        """What fits, best first."""
        with refusals():
            found = await self._memories.recall(query, self._clock.now_ms())
        return RecalledMemories(items=tuple(found))

    async def forget(self, memory_id: str) -> Removed:
        """Remove it. Raises 404."""
        with refusals():
            if not await self._memories.forget(memory_id):
                raise problems.not_found("memory", memory_id)
        return Removed(id=memory_id)


class BroadcastOperations:
    """Messages to every agent."""

    def __init__(self, parts: Parts) -> None:
        self._broadcasts = parts.collective.broadcasts
        self._control = parts.control
        self._agents = parts.agents
        self._clock = parts.clock
        self._ids = parts.ids

    async def send(self, wanted: NewBroadcast, principal: Principal) -> Broadcast:
        """Keep it, tell every live agent, and collect who has it within the deadline.

        Agents that are missing get it later, when they ask what they have missed.
        """
        now_ms = self._clock.now_ms()
        expected = tuple(agent.name for agent in await self._agents.live())
        broadcast = Broadcast(
            id=self._ids.new("bc"),
            message=wanted.message,
            category=wanted.category,
            severity=wanted.severity,
            sender=principal.name,
            sent_at_ms=now_ms,
            expires_at_ms=now_ms + round(wanted.expires_in_s * 1_000),
            expected=expected,
        )
        with refusals():
            kept = await self._broadcasts.send(broadcast)
            notice = BroadcastNotice(broadcast=kept)
            asked = await self._control.ask_all(BROADCAST, notice, expected, wanted.deadline_s)
            receipts = [answer.acknowledgement for answer in asked.answers.values()]
            return await self._broadcasts.acknowledge(kept.id, receipts) if receipts else kept

    async def page(self, before: tuple[int, str] | None, limit: int) -> BroadcastPage:
        """One page, newest first; `before` is time and id of the last one seen."""
        at_ms, identifier = before or (None, "")
        with refusals():
            found = await self._broadcasts.newest(
                before_ms=at_ms, before_id=identifier, limit=limit
            )
        full = len(found) == limit
        cursor = f"{found[-1].sent_at_ms}.{found[-1].id}" if full else None
        return BroadcastPage(items=tuple(found), next_cursor=cursor)
