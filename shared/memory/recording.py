"""Who wants to be recorded, in memory."""

from __future__ import annotations

from shared.ports.recording import RecordingChoice


class MemoryRecordingChoices:
    """Keeps choices for as long as the process lives."""

    def __init__(self) -> None:
        self._chosen: dict[str, RecordingChoice] = {}

    async def of(self, user: str) -> RecordingChoice | None:
        """What a user chose, if anything."""
        return self._chosen.get(user)

    async def choose(self, choice: RecordingChoice) -> None:
        """Keep what a user wants."""
        self._chosen[choice.user] = choice

    async def off(self) -> frozenset[str]:
        """All who have opted out."""
        return frozenset(user for user, choice in self._chosen.items() if not choice.on)
