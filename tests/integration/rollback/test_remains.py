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


async def test_a_damaged_plan_is_told_and_the_rest_is_shown(world: RollbackWorld) -> None:
    """What is wrong with the plan stands beside all else that is known; the runbook, which needs
    the plan, answers with the same; nothing of what stands in the plan is told."""
    execution = await world.run(await world.template(shell("a", "true", undo="echo hunter2")))
    await world.roll_back(execution["id"])
    await world.rolled_back(execution["id"])
    sound = await world.rollback(execution["id"])
    assert sound["plan_damage"] is None
    plans = world.world.mongo.database["rollback_plans"]
    stored = {"_id": f"{execution['id']}.1"}
    document = await plans.find_one(stored)
    assert document is not None
    text = document["plan"]
    path = f"/api/v1/rollbacks/{execution['id']}"
    damages = [
        ({"$set": {"plan": text.replace('"number":1', '"number":"hunter2"')}}, "number"),
        ({"$set": {"plan": text[:-20]}}, ""),
        ({"$unset": {"plan": 1}}, ""),
    ]
    for damage, where in damages:
        await plans.update_one(stored, damage)
        found = await world.rollback(execution["id"])
        assert {**found, "plan": None, "plan_damage": None} == {**sound, "plan": None}
        assert found["plan"] is None
        told = found["plan_damage"]
        assert f"The plan of rollback 1 of {execution['id']} is damaged" in told["detail"]
        assert where in {one["field"] for one in told["errors"]}
        assert "hunter2" not in str(told)
        runbook = await world.client.get(f"{path}/runbook")
        assert (runbook.status_code, runbook.json()["type"]) == (500, "urn:hive:problem:damaged")
        assert {one["field"] for one in runbook.json()["errors"]} == {
            one["field"] for one in told["errors"]
        }
    await plans.delete_one(stored)
    assert (await world.rollback(execution["id"]))["plan"] is None
