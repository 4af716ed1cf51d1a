"""Plans of rollbacks in MongoDB: one document of JSON text each, inserted once."""

from __future__ import annotations

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from shared.adapters.mongo.connection import Mongo
from shared.ports.rollbacks import plan_from
from shared.rollback.items import Plan


class MongoPlanStore:
    """The collection `rollback_plans`."""

    def __init__(self, mongo: Mongo) -> None:
        self._plans = mongo.database["rollback_plans"]

    async def ensure_indexes(self) -> None:
        """Make the indexes. Idempotent."""
        await self._plans.create_index([("execution_id", ASCENDING)])

    async def put(self, plan: Plan) -> Plan:
        """Store a plan, unless there is one; gives the one that holds, as it is read. What was not
        written in its template stays so: that is part of a template's hash."""
        text = plan.as_text()
        document = {
            "_id": f"{plan.execution_id}.{plan.number}",
            "execution_id": plan.execution_id,
            "plan": text,
        }
        try:
            await self._plans.insert_one(document)
        except DuplicateKeyError:
            held = await self.get(plan.execution_id, plan.number)
            if held is not None:
                return held
        return Plan.model_validate_json(text)

    async def get(self, execution_id: str, number: int) -> Plan | None:
        """A plan. Raises `DamagedPlanError`."""
        name = f"{execution_id}.{number}"
        found = await self._plans.find_one({"_id": name})
        return None if found is None else plan_from(name, found.get("plan"))
