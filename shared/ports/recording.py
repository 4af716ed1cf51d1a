"""Who wants to be recorded: everybody, but for those who have opted out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RecordingChoice:
    """What a user wants, since when, and who said so."""

    user: str
    on: bool
    at_ms: int
    by: str


class RecordingChoices(Protocol):
    """What users chose; whoever never did is recorded. Raises `OSError` or the driver's errors
    when the store is away: then nothing may be recorded."""

    async def of(self, user: str) -> RecordingChoice | None:
        """What a user chose, if anything."""
        ...

    async def choose(self, choice: RecordingChoice) -> None:
        """Keep what a user wants from now on."""
        ...

    async def off(self) -> frozenset[str]:
        """All who have opted out."""
        ...
