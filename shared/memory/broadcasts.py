"""Broadcasts in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.collective import Acknowledgement, Broadcast
from shared.ports.collective import NotFoundError


class MemoryBroadcasts:
    """Keeps broadcasts for as long as the process lives."""

    def __init__(self) -> None:
        self._broadcasts: dict[str, Broadcast] = {}

    async def send(self, broadcast: Broadcast) -> Broadcast:
        """Keep it; gives the one with this id that is kept already, if there is."""
        return self._broadcasts.setdefault(broadcast.id, broadcast)

    async def get(self, broadcast_id: str) -> Broadcast | None:
        """One broadcast."""
        return self._broadcasts.get(broadcast_id)

    async def acknowledge(
        self, broadcast_id: str, acknowledgements: Sequence[Acknowledgement]
    ) -> Broadcast:
        """Agents have it; only the first acknowledgement of each counts."""
        broadcast = self._broadcasts.get(broadcast_id)
        if broadcast is None:
            raise NotFoundError(f"there is no broadcast {broadcast_id}")
        known = broadcast.acknowledged_by()
        new = {ack.agent: ack for ack in reversed(acknowledgements) if ack.agent not in known}
        acks = (*broadcast.acknowledgements, *(new[name] for name in sorted(new)))
        self._broadcasts[broadcast_id] = broadcast.model_copy(update={"acknowledgements": acks})
        return self._broadcasts[broadcast_id]

    async def newest(
        self, *, before_ms: int | None = None, before_id: str = "", limit: int = 50
    ) -> Sequence[Broadcast]:
        """Newest first."""
        kept = self._broadcasts.values()
        fitting = [
            b for b in kept if before_ms is None or (b.sent_at_ms, b.id) < (before_ms, before_id)
        ]
        return sorted(fitting, key=lambda b: (b.sent_at_ms, b.id), reverse=True)[:limit]

    async def missed(self, agent: str, now_ms: int, limit: int = 100) -> Sequence[Broadcast]:
        """Those not expired that this agent has not acknowledged, oldest first."""
        fitting = [
            b
            for b in self._broadcasts.values()
            if b.expires_at_ms > now_ms and agent not in b.acknowledged_by()
        ]
        return sorted(fitting, key=lambda b: (b.sent_at_ms, b.id))[:limit]
