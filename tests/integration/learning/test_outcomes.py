"""From executions through the gateway to what is learned of them: a signature, a warning, another
prediction, a tuned template; by the learning service's own process, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.gateway_answers import definition
from tests.integration.learning.world import PATIENCE_S, LearningWorld

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/v1"
RUNS = f"{API}/workflows/executions"
SCRIPT = """\
if [ "$1" = ap ]; then echo "connection to 10.0.0.$2:5432 refused" >&2; exit 3; fi
echo fine
"""
DEPLOY = {
    "id": "deploy",
    "command": "shell",
    "parameters": {
        "argv": ["sh", "-c", SCRIPT, "deploy", "${{ params.region }}", "${{ string(params.n) }}"]
    },
    "irreversible": "it only talks",
}
PARAMETERS = {
    "region": {"type": "string", "default": "eu"},
    "n": {"type": "integer", "default": 1},
}


async def got(world: LearningWorld, path: str, **query: Any) -> dict[str, Any]:
    answer = await world.world.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def eventually(
    look: Callable[[], Awaitable[dict[str, Any]]], is_so: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What is found once it is so."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    while not is_so(found := await look()):
        assert loop.time() < until_s, found
        await asyncio.sleep(0.2)
    return found


async def stored(world: LearningWorld, name: str, **policies: Any) -> None:
    made = definition(
        name, parameters=PARAMETERS, steps=[DEPLOY], category="maintenance", policies=policies
    )
    answer = await world.world.client.post(f"{API}/workflows/templates", json=made)
    assert answer.status_code in (200, 201), answer.text


async def ended(world: LearningWorld, execution_id: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        return await got(world, f"/workflows/executions/{execution_id}")

    return await eventually(look, lambda one: one["status"] in ("completed", "failed"))


async def run(world: LearningWorld, name: str, count: int, **parameters: Any) -> list[str]:
    """Run it so many times at once, to the end; gives the ids."""
    made = []
    for _ in range(count):
        body = {"template_id": name, "parameters": parameters}
        answer = await world.world.client.post(f"{API}/workflows/execute", json=body)
        assert answer.status_code == 202, answer.text
        made.append(answer.json()["execution_id"])
    for one in made:
        await ended(world, one)
    return made


async def predicted(world: LearningWorld, name: str, runs: int, **query: Any) -> dict[str, Any]:
    """The prediction once so many runs are known."""
    return await eventually(
        lambda: got(world, f"/predictions/{name}", **query), lambda found: found["runs"] >= runs
    )


async def test_failing_runs_become_a_signature_a_warning_and_a_prediction(
    world: LearningWorld,
) -> None:
    """Before, nothing is known and that is said; after, all of it is, without any address."""
    await stored(world, "outcomes_a")
    before = await got(world, "/predictions/outcomes_a")
    assert (before["standing"], before["success_rate"]) == ("no runs yet", None)
    failed = await run(world, "outcomes_a", 4, region="ap", n=7)
    after = await predicted(world, "outcomes_a", 4)
    assert (after["standing"], after["success_rate"]) == ("learned", 0.0)
    assert after["chance"]["probability"] < before["chance"]["probability"] / 2
    page = await got(world, "/failures")
    (failure,) = [one for one in page["items"] if one["steps"][0]["name"] == "outcomes_a/deploy"]
    assert "connection to <IP> refused" in failure["pattern"]
    assert "10.0.0" not in str(failure)
    assert (failure["runs"], set(failure["latest"])) == (4, set(failed))
    body = {"message": "exit code 4, expected 0: connection to 192.168.1.9:5432 refused"}
    matched = await world.world.client.post(f"{API}/failures/match", json=body)
    assert matched.json()["known"]["signature"]["id"] == failure["id"]
    warned = await eventually(
        lambda: got(world, "/insights", kind="failure_warning"), lambda found: bool(found["items"])
    )
    assert warned["items"][0]["about"] == failure["id"]
    recalled = await got(world, "/memories", text="connection refused", category="insight")
    assert recalled["items"][0]["memory"]["id"] == warned["items"][0]["memory_id"]


async def test_what_resolved_it_is_told_where_it_failed(world: LearningWorld) -> None:
    """A re-run with another region passes; the next one that fails is told so."""
    (first,) = await run(world, "outcomes_a", 1, region="ap")
    body = {"parameters": {"region": "us"}}
    answer = await world.world.client.post(f"{RUNS}/{first}/rerun", json=body)
    assert answer.status_code == 202, answer.text
    assert (await ended(world, answer.json()["execution_id"]))["status"] == "completed"
    (second,) = await run(world, "outcomes_a", 1, region="ap")

    def says(found: dict[str, Any]) -> bool:
        known = [one["says"] for one in found["findings"] if one["cause"] == "known_failure"]
        return any("another region" in one for one in known)

    why = await eventually(lambda: got(world, f"/workflows/executions/{second}/explain"), says)
    assert why["findings"][0]["cause"] == "failed"


async def test_a_value_that_matters_changes_the_prediction(world: LearningWorld) -> None:
    """Runs in one region fail, all others complete."""
    await run(world, "outcomes_a", 14, region="eu")
    bad = await predicted(world, "outcomes_a", 21, parameter="region=ap")
    good = await predicted(world, "outcomes_a", 21, parameter="region=eu")
    assert bad["chance"]["probability"] < 0.4
    assert good["chance"]["probability"] > 0.75
    assert bad["value"]["parameter"] == "region"
