"""What rollbacks leave behind in MongoDB, removed with the executions that they belong to.

The state and the plans of an execution's rollbacks go with the execution; a template that was made
for one goes with the last execution of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.adapters.mongo.connection import Mongo
from shared.rollback.state import rollback_id
from shared.workflow.definition import GENERATED


class MongoRollbackRemains:
    """Deletions in `rollbacks`, `rollback_plans` and `templates`."""

    def __init__(self, mongo: Mongo) -> None:
        database = mongo.database
        self._executions, self._archive = database["executions"], database["archive"]
        self._rollbacks, self._plans = database["rollbacks"], database["rollback_plans"]
        self._templates = database["templates"]

    async def generated(self, execution_ids: Sequence[str]) -> Sequence[str]:
        """The generated templates that archived executions ran."""
        wanted = {
            "_id": {"$in": list(execution_ids)},
            "template_id": {"$gte": GENERATED, "$lt": GENERATED[:-1] + chr(ord(GENERATED[-1]) + 1)},
        }
        return list(await self._archive.distinct("template_id", wanted))

    async def forget(self, execution_ids: Sequence[str], templates: Sequence[str]) -> None:
        """These executions are deleted; of these templates there may be no execution any more."""
        ids = list(execution_ids)
        await self._rollbacks.delete_many({"_id": {"$in": [rollback_id(one) for one in ids]}})
        await self._plans.delete_many({"execution_id": {"$in": ids}})
        used = {"template_id": {"$in": list(templates)}}
        left = {
            *await self._executions.distinct("template_id", used),
            *await self._archive.distinct("template_id", used),
        }
        gone = [one for one in templates if one not in left]
        if gone:
            await self._templates.delete_many({"template_id": {"$in": gone}})
