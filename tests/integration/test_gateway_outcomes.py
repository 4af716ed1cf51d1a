"""Predictions, known failures, tuning and insights through the gateway, on what was learned."""

from __future__ import annotations

from typing import Any

import pytest

from services.learning.outcomes import OutcomeWriter
from shared.adapters.mongo.memories import MongoMemories
from shared.adapters.mongo.outcomes import MongoOutcomeViews
from shared.adapters.mongo.templates import MongoTemplateStore
from shared.collective.insights import InsightDesk
from shared.learning.records import RunRecord
from shared.memory.clock import ManualClock
from shared.tuning.desk import TuningDesk
from tests.integration.gateway_answers import definition, problem
from tests.integration.gateway_fixtures import own_database, quiet_world  # noqa: F401
from tests.integration.gateway_world import World
from tests.unit.outcomes.made_runs import NOW_MS, a_run
from tests.unit.tuning.test_outcome_writer import Inline, new_folds

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1"
REFUSED = "connection to 10.0.0.7:5432 refused"


async def learn(world: World, runs: list[RunRecord], now_ms: int = NOW_MS) -> None:
    """What the learning service does with these runs."""
    folds = new_folds()
    for place, run in enumerate(runs, 1):
        for fold in folds:
            fold.apply(run, place)
    views, templates = MongoOutcomeViews(world.mongo), MongoTemplateStore(world.mongo)
    writer = OutcomeWriter(
        lambda: folds,
        views,
        templates,
        TuningDesk(views, templates, {}),
        InsightDesk(views, MongoMemories(world.mongo), world.gateway.parts.sink),
        Inline(),
        ManualClock(now_ms),
    )
    await writer.round()


async def got(world: World, path: str, **query: Any) -> dict[str, Any]:
    answer = await world.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def stored(world: World, name: str, **step: Any) -> None:
    steps = [{"id": "deploy", "command": "noop", **step}]
    region = {"region": {"type": "string", "default": "eu"}}
    made = definition(name, steps=steps, parameters=region, category="maintenance")
    answer = await world.client.post(f"{API}/workflows/templates", json=made)
    assert answer.status_code in (200, 201), answer.text


async def test_without_runs_it_says_so(world: World) -> None:
    """No rate is made up: the chance is what is assumed, and is said to be."""
    await stored(world, "never_ran")
    found = await got(world, "/predictions/never_ran")
    assert (found["standing"], found["runs"], found["success_rate"]) == ("no runs yet", 0, None)
    assert found["leaning"][-1]["level"] == "assumed"
    assert found["typical_s"] is None
    none = await world.client.get(f"{API}/predictions/no_such_template")
    assert problem(none, 404)


async def test_what_was_learned_is_told(world: World) -> None:
    """Counts as they are; a parameter's value and an agent that make a difference."""
    await stored(world, "rollout")
    await stored(world, "alike")
    runs = [
        a_run(n, n % 4 != 0, parameters={"region": "us" if n % 4 == 0 else "eu"}, lasted_ms=3_000)
        for n in range(60)
    ]
    bad = [a_run(100 + n, n % 2 == 0, "other", agent="bad") for n in range(40)]
    await learn(world, [*runs, *bad, *[a_run(200 + n, True, "other") for n in range(40)]])
    found = await got(world, "/predictions/rollout")
    assert (found["standing"], found["runs"], found["succeeded"]) == ("learned", 60, 45)
    assert found["success_rate"] == 0.75
    assert found["value"]["value"] == '"eu"'
    assert found["typical_s"] == pytest.approx(3, rel=0.02)
    there = await got(world, "/predictions/rollout", parameter='region="us"')
    assert there["chance"]["probability"] < 0.4 < found["chance"]["probability"]
    on = await got(world, "/predictions/rollout", agent="bad")
    assert on["agent"]["factor"] > 1
    assert on["chance"]["probability"] < found["chance"]["probability"]
    agents = (await got(world, "/insights/agents"))["items"]
    assert agents[0]["agent"] == "bad"
    assert (await got(world, "/insights/agents/bad"))["factor"] == agents[0]["factor"]
    assert problem(await world.client.get(f"{API}/insights/agents/none"), 404)
    about = (await got(world, "/insights", agent="bad"))["items"]
    assert {one["agent"] for one in about} <= {"bad"}
    alike = await got(world, "/predictions/alike")
    assert alike["standing"] == "no runs yet"
    assert alike["leaning"][0]["level"] == "category"
    wrong = await world.client.get(f"{API}/predictions/rollout", params={"parameter": "region"})
    assert problem(wrong, 422)["errors"][0]["field"] == "parameter"


async def test_known_failures(world: World) -> None:
    """They are listed, shown and matched; what helped is told in words."""
    again = a_run(2, True, resumed_from="rollout-1", agent="b", at_ms=NOW_MS + 1)
    await learn(world, [a_run(1, False, message=REFUSED), again])
    page = await got(world, "/failures")
    (failure,) = page["items"]
    assert failure["pattern"] == "connection to <IP> refused"
    assert await got(world, f"/failures/{failure['id']}") == failure
    body = {"message": "connection to 192.168.1.1:80 refused"}
    matched = (await world.client.post(f"{API}/failures/match", json=body)).json()
    assert matched["known"]["signature"]["id"] == failure["id"]
    assert matched["resolutions"] == ["agent b: helped 1 of 1 times"]
    assert matched["masked"] == "connection to <IP> refused"
    nothing = {"message": "the moon is made of green cheese"}
    assert (await world.client.post(f"{API}/failures/match", json=nothing)).json()["known"] is None
    assert problem(await world.client.get(f"{API}/failures/none"), 404)


async def test_a_proposal_is_applied_by_whom_may_write_templates(world: World) -> None:
    """It becomes the next version; a viewer is refused, and twice is once too often."""
    await stored(world, "tuned")
    await learn(world, [a_run(n, lasted_ms=2_000, template="tuned") for n in range(60)])
    (proposal,) = (await got(world, "/tuning", status="open"))["items"]
    assert (proposal["setting"], proposal["proposed"]) == ("timeout_s", 6.0)
    path = f"{API}/tuning/{proposal['id']}"
    viewer = await world.as_role("viewer")
    assert (await viewer.post(f"{path}/apply")).status_code == 403
    applied = (await world.client.post(f"{path}/apply")).json()
    assert applied["status"] == "applied"
    template = await got(world, "/workflows/templates/tuned")
    assert template["summary"]["version"] == applied["experiment"]["version"]
    assert template["definition"]["steps"][0]["timeout_s"] == 6.0
    assert problem(await world.client.post(f"{path}/apply"), 409)
    assert await got(world, f"/tuning/{proposal['id']}") == applied
    assert problem(await world.client.get(f"{API}/tuning/none"), 404)
    assert (await viewer.post(f"{path}/revert")).status_code == 403
    reverted = (await world.client.post(f"{path}/revert", json={"reason": "no"})).json()
    assert (reverted["status"], reverted["pinned"]) == ("reverted", True)
    template = await got(world, "/workflows/templates/tuned")
    assert template["definition"]["steps"][0]["timeout_s"] == 300.0
    assert problem(await world.client.post(f"{path}/revert"), 409)
    assert problem(await world.client.post(f"{API}/tuning/none/dismiss"), 404)
    assert (await got(world, "/tuning", status="dismissed"))["items"] == []


async def test_a_proposal_is_dismissed(world: World) -> None:
    """With a reason."""
    await stored(world, "spared")
    await learn(world, [a_run(n, lasted_ms=2_000, template="spared") for n in range(60)])
    path = f"{API}/tuning/spared.deploy.timeout_s/dismiss"
    done = (await world.client.post(path, json={"reason": "on purpose"})).json()
    assert (done["status"], done["reason"]) == ("dismissed", "on purpose")


async def test_insights_are_memories_and_events(world: World) -> None:
    """A failure that is new is told once, and found again by its words."""
    now_ms = world.gateway.parts.clock.now_ms()
    runs = [a_run(n, False, message=f"socket {n} hung up", at_ms=now_ms) for n in range(5)]
    await learn(world, runs, now_ms)
    page = await got(world, "/insights", kind="failure_warning")
    (told,) = [one for one in page["items"] if one["title"] == "failed: socket <NUM> hung up"]
    recalled = await got(world, "/memories", text="socket hung up", category="insight")
    memory = recalled["items"][0]["memory"]
    assert memory["id"] == told["memory_id"]
    assert "socket <NUM> hung up" in memory["content"]


async def test_the_risk_gate_knows_what_was_learned(world: World) -> None:
    """Where no forecast is made, earlier runs predict: a template that mostly fails is refused by
    its own rule once that is known."""
    rule = {"when": "predicted.known && predicted.failure > 0.5", "then": "refuse"}
    steps = [{"id": "deploy", "command": "noop"}]
    policies = {"validation": {"gate": [rule]}}
    made = definition("risky", steps=steps, parameters={}, policies=policies)
    assert (await world.client.post(f"{API}/workflows/templates", json=made)).is_success
    body = {"template_id": "risky"}
    assert (await world.client.post(f"{API}/workflows/execute", json=body)).status_code == 202
    await learn(world, [a_run(n, n % 5 == 0, "risky") for n in range(40)])
    refused = await world.client.post(f"{API}/workflows/execute", json=body)
    assert problem(refused, 422)["type"].endswith("refused-by-validation")
