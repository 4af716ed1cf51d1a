"""A template is tuned by its runs, and the learning service goes on after kill -9."""

from __future__ import annotations

import pytest

from tests.integration.learning.test_outcomes import eventually, got, predicted, run, stored
from tests.integration.learning.world import LearningWorld

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]


async def test_a_template_that_allows_it_is_tuned(world: LearningWorld) -> None:
    """Sixty quick runs under a timeout of five minutes: the next version has a shorter one, tried
    as an experiment."""
    await stored(world, "outcomes_b", tuning="apply")
    await run(world, "outcomes_b", 60)
    page = await eventually(
        lambda: got(world, "/tuning", status="applied"), lambda found: bool(found["items"])
    )
    (proposal,) = page["items"]
    assert proposal["id"] == "outcomes_b.deploy.timeout_s"
    template = await got(world, "/workflows/templates/outcomes_b")
    assert template["summary"]["created_by"] == "tuning"
    assert template["summary"]["version"] == proposal["experiment"]["version"]
    assert template["definition"]["steps"][0]["timeout_s"] == proposal["proposed"] < 60


async def test_a_service_that_was_killed_goes_on(world: LearningWorld) -> None:
    """After kill -9 the counts are those of all runs, each once."""
    known = (await predicted(world, "outcomes_b", 60))["runs"]
    await world.kill()
    await run(world, "outcomes_b", 3)
    await world.start()
    after = await predicted(world, "outcomes_b", known + 3)
    assert after["runs"] == known + 3
