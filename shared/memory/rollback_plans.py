"""Plans of rollbacks in memory, kept as JSON text, as in the database."""

from __future__ import annotations

from shared.memory.faults import Action, Faults
from shared.ports.rollbacks import plan_from
from shared.rollback.items import Plan


class MemoryPlanStore:
    """Keeps plans for as long as the process lives."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self._plans: dict[tuple[str, int], str] = {}

    async def put(self, plan: Plan) -> Plan:
        """Store a plan, unless there is one."""
        await self._faults.before(Action.WRITE, "")
        held = self._plans.setdefault((plan.execution_id, plan.number), plan.as_text())
        await self._faults.after(Action.WRITE, "")
        return plan_from(f"{plan.execution_id}.{plan.number}", held)

    async def get(self, execution_id: str, number: int) -> Plan | None:
        """A plan. Raises `DamagedPlanError`."""
        held = self._plans.get((execution_id, number))
        return None if held is None else plan_from(f"{execution_id}.{number}", held)
