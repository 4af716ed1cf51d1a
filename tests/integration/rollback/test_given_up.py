"""A plan that cannot be made, whatever is tried, ends its rollback with a reason."""

from __future__ import annotations

import pytest

from tests.integration.rollback.world import RollbackWorld, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


async def test_planning_that_always_fails_is_refused(world: RollbackWorld) -> None:
    """A stored plan that cannot be read fails each time: the rollback has failed, everybody is told
    why, and it can be asked for again."""
    book = world.files / "damaged"
    template = await world.template(
        shell("a", f"echo a >> {book}", undo=f"sed -i '$ d' {book}"),
    )
    execution = await world.run(template)
    plans = world.world.mongo.database["rollback_plans"]
    damaged = {"_id": f"{execution['id']}.1", "execution_id": execution["id"], "number": 1}
    await plans.insert_one({**damaged, "plan": "{"})
    await world.roll_back(execution["id"])
    view = await world.status(execution["id"], "rollback_failed")
    assert view["ended"]
    await plans.delete_one({"_id": damaged["_id"]})
    over = (await world.rollback(execution["id"]))["summary"]
    assert "planning failed 5 times" in over["left"][0]
    why = await world.client.get(f"/api/v1/workflows/executions/{execution['id']}/explain")
    says = [one["says"] for one in why.json()["findings"] if one["cause"] == "rollback_failed"]
    assert "planning failed 5 times" in says[0], why.text
    events = await world.client.get(f"/api/v1/workflows/executions/{execution['id']}/events")
    ends = [one for one in events.json()["items"] if one["type"].endswith("rollback_failed")]
    assert "planning failed 5 times" in str(ends[0]), events.text
    assert book.read_text() == "a\n"
    await world.roll_back(execution["id"])
    again = await world.rolled_back(execution["id"], 2)
    assert again["summary"]["status"] == "rolled_back", again
    assert book.read_text() == ""
