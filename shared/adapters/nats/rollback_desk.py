"""The rollback service, asked over NATS."""

from __future__ import annotations

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import call
from shared.contracts import rpc
from shared.contracts.rollbacks import PointsAnswer, PointsQuestion, PreviewQuestion
from shared.rollback.items import Plan


class RemoteRollbackDesk:
    """Asks whichever rollback service answers first."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def preview(self, question: PreviewQuestion) -> Plan:
        """What a rollback would do now."""
        return await call(self._bus, rpc.ROLLBACK_PREVIEW, question)

    async def points(self, question: PointsQuestion) -> PointsAnswer:
        """The checkpoints of an execution."""
        return await call(self._bus, rpc.ROLLBACK_POINTS, question)
