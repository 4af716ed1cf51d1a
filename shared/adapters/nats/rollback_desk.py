"""The rollback service, asked over NATS."""

from __future__ import annotations

from typing import Final

from shared.adapters.nats.connection import Bus
from shared.adapters.nats.rpc import call
from shared.contracts import rpc
from shared.contracts.rollbacks import PointsAnswer, PointsQuestion, PreviewQuestion
from shared.ports.collective import HiveUnavailableError
from shared.rollback.items import Plan

PRESENT_S: Final = 1.5
"""Who answers does so at once, unless it has hung."""
ABSENT_S: Final = 0.3


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

    async def present(self) -> bool:
        """Whether any rollback service answers. Raises `ConnectionError` while NATS is away."""
        if not self._bus.connected:
            raise ConnectionError("NATS is away")
        try:
            await call(self._bus, rpc.ROLLBACK_PRESENT, rpc.Nothing(), PRESENT_S, ABSENT_S)
        except HiveUnavailableError:
            return False
        return True
