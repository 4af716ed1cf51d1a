"""The learning service, as it is asked."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.learning import (
    BackfillOrder,
    LearningStatus,
    MeantLines,
    MeantLinesQuestion,
    RebuildOrder,
)


class LearningDesk(Protocol):
    """The learning service that works. Raises what `shared.ports.collective` names:
    `NotFoundError`, `ConflictError`, `HiveUnavailableError`."""

    async def status(self) -> LearningStatus:
        """How it stands."""
        ...

    async def rebuild(self, order: RebuildOrder) -> LearningStatus:
        """Begin to rebuild a model, or all."""
        ...

    async def backfill(self, order: BackfillOrder) -> LearningStatus:
        """Begin to add the runs that the record does not know."""
        ...

    async def meant_lines(self, question: MeantLinesQuestion) -> MeantLines:
        """What a pattern means of what is kept. Raises `InvalidRequestError`, too."""
        ...
