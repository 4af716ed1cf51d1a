"""What rollbacks leave behind goes with the executions that they belong to."""

from __future__ import annotations

import pytest

from shared.adapters.mongo.archiving import MongoArchiving
from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_a_deleted_execution_leaves_nothing(world: RollbackWorld) -> None:
    """State and plans go with the execution, the template with the last execution of it."""
    execution = await world.run(await world.template(shell("a", "true", undo="true")))
    await world.roll_back(execution["id"])
    over = await world.rolled_back(execution["id"])
    await world.status(execution["id"], "rolled_back")
    run = over["summary"]["run"]
    mongo = world.world.mongo
    archiving = MongoArchiving(mongo)
    template = f"rollback.{execution['id']}"

    async def left() -> tuple[int, int, int]:
        rollbacks = await mongo.database["rollbacks"].count_documents(
            {"_id": over["summary"]["id"]}
        )
        wanted = {"execution_id": execution["id"]}
        plans = await mongo.database["rollback_plans"].count_documents(wanted)
        templates = await mongo.database["templates"].count_documents({"template_id": template})
        return rollbacks, plans, templates

    assert await left() == (1, 1, 1)
    for one, remains in ((execution["id"], (0, 0, 1)), (run, (0, 0, 0))):
        assert await archiving.copy([one], 1) == [one]
        await archiving.finish([one])
        assert await archiving.delete([one]) == 1
        assert await left() == remains
