"""Where plans of rollbacks are kept, and who is asked about rollbacks that have not begun."""

from __future__ import annotations

from typing import Protocol

from shared.contracts.rollbacks import PointsAnswer, PointsQuestion, PreviewQuestion
from shared.rollback.items import Plan


class PlanStore(Protocol):
    """Plans, by execution and number of the rollback. One that is stored never changes."""

    async def put(self, plan: Plan) -> Plan:
        """Store a plan; gives the one that holds, which is an earlier one where there was one."""
        ...

    async def get(self, execution_id: str, number: int) -> Plan | None:
        """A plan."""
        ...


class RollbackDesk(Protocol):
    """A rollback service. Raises what `shared.ports.collective` names: `NotFoundError`,
    `InvalidRequestError`, `HiveUnavailableError`."""

    async def preview(self, question: PreviewQuestion) -> Plan:
        """What a rollback would do now."""
        ...

    async def points(self, question: PointsQuestion) -> PointsAnswer:
        """The checkpoints of an execution."""
        ...

    async def present(self) -> bool:
        """Whether any rollback service answers. Raises `OSError` where nobody can
        know."""
        ...
