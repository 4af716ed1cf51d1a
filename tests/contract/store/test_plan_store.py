"""Plans of rollbacks: in memory and in MongoDB. What is stored first is the plan."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.adapters.mongo.connection import Mongo
from shared.adapters.mongo.rollback_plans import MongoPlanStore
from shared.memory.rollback_plans import MemoryPlanStore
from shared.ports.rollbacks import PlanStore
from shared.rollback.items import Plan
from shared.templates.content import content_hash
from tests.unit.rollback.undoing import plan_of, undone_by
from tests.unit.workflow.scenario import Run


@pytest_asyncio.fixture(name="store", params=["memory", "mongo"])
async def plan_store(request: pytest.FixtureRequest) -> AsyncIterator[PlanStore]:
    """An empty store."""
    if request.param == "memory":
        yield MemoryPlanStore()
        return
    mongo = Mongo(request.getfixturevalue("mongo_url"))
    made = MongoPlanStore(mongo)
    await made.ensure_indexes()
    yield made
    await mongo.close()


def planned() -> Plan:
    run = Run(undone_by("a"), undone_by("b", "a"))
    run.request()
    run.succeed("a")
    run.succeed("b")
    return plan_of(run)


async def test_a_plan_is_what_is_read_of_it(store: PlanStore) -> None:
    """Whoever stores it and whoever reads it later have the same template, to the hash: it is
    stored as a template by both."""
    plan = planned()
    held = await store.put(plan)
    found = await store.get(plan.execution_id, plan.number)
    assert found == held == plan
    assert plan.template is not None
    assert held.template is not None
    assert found is not None
    assert found.template is not None
    assert content_hash(held.template) == content_hash(found.template)
    assert content_hash(held.template) == content_hash(plan.template)


async def test_the_first_plan_holds(store: PlanStore) -> None:
    """Another one for the same rollback changes nothing; of another number it is another plan."""
    plan = planned()
    held = await store.put(plan)
    other = plan.model_copy(update={"made_at_ms": plan.made_at_ms + 1})
    assert await store.put(other) == held
    second = plan.model_copy(update={"number": 2})
    assert (await store.put(second)).number == 2
    assert await store.get(plan.execution_id, 3) is None
