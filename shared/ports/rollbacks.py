"""Where plans of rollbacks are kept, and who is asked about rollbacks that have not begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from shared.contracts.rollbacks import PointsAnswer, PointsQuestion, PreviewQuestion
from shared.rollback.items import Plan


class DamagedPlanError(Exception):
    """What is stored under the name of a plan cannot be read as one. `faults` says where in it
    (`items/0/number`; `""`: as a whole) and what is wrong there, without what stands there."""

    def __init__(self, name: str, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        said = "; ".join(f"{where}: {what}" if where else what for where, what in faults[:3])
        super().__init__(f"the stored plan {name} is damaged: {said}")


class PlanStore(Protocol):
    """Plans, by execution and number of the rollback. One that is stored never changes."""

    async def put(self, plan: Plan) -> Plan:
        """Store a plan; gives the one that holds, which is an earlier one where there was one.
        Raises `DamagedPlanError` where that one cannot be read."""
        ...

    async def get(self, execution_id: str, number: int) -> Plan | None:
        """A plan. Raises `DamagedPlanError`."""
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


def plan_from(name: str, text: Any) -> Plan:
    """The plan that is stored under a name as JSON text. Raises `DamagedPlanError`."""
    if not isinstance(text, str):
        raise DamagedPlanError(name, [("", "its text is gone")])
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [("/".join(map(str, one["loc"])), one["msg"]) for one in found]
        raise DamagedPlanError(name, faults) from None
