"""`hv` tells what was learned of outcomes: every command, each as a process."""

from __future__ import annotations

import pytest

from tests.integration.gateway_fixtures import own_database, quiet_world  # noqa: F401
from tests.integration.gateway_world import World
from tests.integration.hv_of_world import terminal
from tests.integration.test_gateway_outcomes import learn, stored
from tests.unit.outcomes.made_runs import a_run

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]


async def test_hv_tells_the_same(world: World) -> None:
    """`hv predict`, `failures`, `tuning` and `insights`, for people and as JSON."""
    await stored(world, "told")
    runs = [a_run(n, lasted_ms=2_000, template="told") for n in range(60)]
    failed = [a_run(100 + n, False, "told", message=f"disk {n} is full") for n in range(3)]
    await learn(world, [*runs, *failed, a_run(200, True, "told", resumed_from="told-102")])
    async with terminal(world) as at:
        assert "61 of 64 runs succeeded" in await at.hv("predict", "told")
        assert (await at.json("predict", "told", "-p", "region=us"))["standing"] == "learned"
        listed = await at.hv("failures")
        assert "disk <NUM> is full" in listed
        (known,) = (await at.json("failures"))["items"]
        assert "running it again" in await at.hv("failures", "show", known["id"])
        assert "100% of the words" in await at.hv("failures", "match", "disk 77 is full")
        assert "told.deploy.timeout_s" in await at.hv("tuning")
        assert "timeout_s: 300.0" in await at.hv("tuning", "show", "told.deploy.timeout_s")
        assert "dismissed" in await at.hv("tuning", "dismiss", "told.deploy.timeout_s", "-r", "no")
        assert "is dismissed, not open" in await at.hv(
            "tuning", "apply", "told.deploy.timeout_s", code=2
        )
        assert "failure warning" in await at.hv("insights")
