"""Participants in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.collective import Participant


class MemoryParticipants:
    """Keeps participants for as long as the process lives."""

    def __init__(self) -> None:
        self._participants: dict[str, Participant] = {}

    async def save(self, participant: Participant) -> None:
        """Register, or replace what was known."""
        self._participants[participant.name] = participant

    async def seen(self, name: str, at_ms: int) -> None:
        """It was heard of."""
        known = self._participants.get(name)
        if known is not None and known.last_seen_ms < at_ms:
            self._participants[name] = known.model_copy(update={"last_seen_ms": at_ms})

    async def get(self, name: str) -> Participant | None:
        """One participant."""
        return self._participants.get(name)

    async def all(self) -> Sequence[Participant]:
        """All, by name."""
        return sorted(self._participants.values(), key=lambda p: p.name)

    async def remove(self, name: str) -> bool:
        """Forget it."""
        return self._participants.pop(name, None) is not None
