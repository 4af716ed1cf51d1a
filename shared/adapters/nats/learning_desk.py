"""The learning service, asked over NATS."""

from __future__ import annotations

from typing import Final

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import call
from shared.contracts import rpc
from shared.contracts.learning import (
    BackfillOrder,
    LearningStatus,
    MeantLines,
    MeantLinesQuestion,
    RebuildOrder,
)

ABSENT_S: Final = 1.5
"""So long it is asked again where nobody works: another may take over in a moment."""

READING_S: Final = 25.0
"""A user may have a million commands."""


class RemoteLearningDesk:
    """Asks the learning service that works."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def status(self) -> LearningStatus:
        """How it stands."""
        return await call(self._bus, rpc.LEARNING_STATUS, rpc.Nothing(), absent_s=ABSENT_S)

    async def rebuild(self, order: RebuildOrder) -> LearningStatus:
        """Begin to rebuild a model, or all."""
        return await call(self._bus, rpc.LEARNING_REBUILD, order, absent_s=ABSENT_S)

    async def backfill(self, order: BackfillOrder) -> LearningStatus:
        """Begin to add the runs that the record does not know."""
        return await call(self._bus, rpc.LEARNING_BACKFILL, order, absent_s=ABSENT_S)

    async def meant_lines(self, question: MeantLinesQuestion) -> MeantLines:
        """What a pattern means of what is kept."""
        endpoint = rpc.LEARNING_MEANT_LINES
        return await call(self._bus, endpoint, question, READING_S, absent_s=ABSENT_S)
