"""Fleets through the gateway, with a real executor: whom they would run on, what became of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.gateway_fixtures import busy_world  # noqa: F401 - a fixture
from tests.integration.gateway_world import World
from tests.integration.test_gateway_executions import EXECUTIONS, run, store

pytestmark = pytest.mark.asyncio(loop_scope="module")

TARGETS = "/api/v1/targets"
HERE = "agent.name == 'agent-test'"


def say(name: str, **target: Any) -> dict[str, Any]:
    """A step that writes on whom it runs, with a real program."""
    parameters = {"argv": ["echo", "${{ agent.name }}"]}
    return {"id": name, "command": "shell", "parameters": parameters, "target": target}


async def asked(world: World, **query: Any) -> Any:
    answer = await world.client.get(TARGETS, params=query)
    return answer.json()


async def seen(world: World) -> None:
    """Wait until gateway and coordinator know the agent: it announces itself when it has begun."""
    probe = say("a", where=HERE, allow_empty=True)
    await store(world, "probe", probe, outputs={"total": "${{ steps.a.output.total }}"})
    async with asyncio.timeout(30):
        while (await run(world, "probe"))["execution"]["outputs"] != {"total": 1}:  # noqa: ASYNC110 - others change it
            await asyncio.sleep(0.1)


async def test_whom_a_selector_would_match_now(world: World) -> None:
    """The targets with their batch, and of every other agent why it is none."""
    await seen(world)
    found = await asked(world, where=HERE)
    [fleet] = found["items"]
    assert [(one["target"], one["batch"]) for one in fleet["targets"]] == [("agent-test", 1)]
    assert fleet["batches"] == [1]
    assert found["live"] >= 1
    [none] = (await asked(world, where=HERE, capability="gpu", label="a=b"))["items"]
    assert none["targets"] == []
    assert none["others"]["agent-test"] == "it lacks gpu"
    [labelled] = (await asked(world, where=HERE, label="a=b"))["items"]
    assert labelled["others"]["agent-test"] == "it is not labelled a=b"
    [some] = (await asked(world, where=HERE, any_capability=["x", "y"]))["items"]
    assert some["others"]["agent-test"] == "it has none of x, y"


async def test_whom_a_template_would_run_on_now(world: World) -> None:
    """Each fleet of a template with these parameters; what only its run can know is said."""
    later = say("later", where="agent.name == steps.now.output.results[0].target")
    await store(
        world,
        "fleets",
        say("now", where="agent.name == params.who", canary=1, max_failure="50%"),
        {**later, "depends_on": ["now"]},
        parameters={"who": {"type": "string"}},
    )
    parameters = '{"who": "agent-test"}'
    now, then = (await asked(world, template="fleets", parameters=parameters))["items"]
    assert (now["step"], now["canary"], now["max_failure"]) == ("now", True, 0)
    assert [one["target"] for one in now["targets"]] == ["agent-test"]
    assert "known when the step begins" in then["problem"]
    one = await asked(world, template="fleets", parameters=parameters, step="later")
    assert [fleet["step"] for fleet in one["items"]] == ["later"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 422, "one of `where` and `template`"),
        ({"where": "true", "template": "x"}, 422, "one of `where` and `template`"),
        ({"where": "agent.nam == 'a'"}, 422, "undeclared"),
        ({"where": "true", "label": "role"}, 422, "is not name=value"),
        ({"template": "no-such"}, 404, "no-such"),
        ({"template": "plain_one"}, 422, "is no fleet"),
        ({"template": "plain_one", "parameters": "[1]"}, 422, "not a JSON object"),
        ({"template": "plain_one", "parameters": "{"}, 422, "not a JSON object"),
        ({"template": "plain_one", "parameters": '{"x": 1}'}, 422, "x"),
        ({"template": "plain_one", "step": "b"}, 422, "step 'b'"),
        ({"where": "true", "whree": "x"}, 422, "whree"),
    ],
)
async def test_what_cannot_be_asked(
    world: World, query: dict[str, str], status: int, words: str
) -> None:
    """Bad questions are refused by field, with what to do."""
    if (await world.client.get("/api/v1/workflows/templates/plain_one")).status_code == 404:
        await store(world, "plain_one", {"id": "a", "command": "noop"})
    answer = await world.client.get(TARGETS, params=query)
    assert answer.status_code == status, answer.text
    assert words in answer.text


async def test_what_became_of_each_target(world: World) -> None:
    """A fleet that ran: by target its status, output and attempts, also by status; an execution
    without fleets has none; a step that is no fleet is not found."""
    await store(
        world,
        "fleet_ran",
        say("all", where=HERE, rate_limit={"starts": 100, "per_s": 1}),
        say("none", where="agent.name == 'nobody'", allow_empty=True),
        {"id": "plain", "command": "noop"},
    )
    view = (await run(world, "fleet_ran"))["execution"]
    assert view["status"] == "completed", view
    instance = next(one for one in view["steps"] if one["id"] == "all[0]")
    assert (instance["target"], instance["batch"]) == ("agent-test", 1)
    path = f"{EXECUTIONS}/{view['id']}/targets"
    found = {one["step"]: one for one in (await world.client.get(path)).json()["items"]}
    assert set(found) == {"all", "none"}
    [target] = found["all"]["targets"]
    assert (target["target"], target["agent"]) == ("agent-test", "agent-test")
    assert (target["status"], target["attempts"]) == ("completed", 1)
    assert target["output"]["stdout"] == "agent-test\n"
    assert found["none"]["targets"] == []
    failed = await world.client.get(path, params={"step": "all", "status": "failed"})
    assert [one["targets"] for one in failed.json()["items"]] == [[]]
    missing = await world.client.get(path, params={"step": "plain"})
    assert missing.status_code == 404
    assert (await world.client.get(f"{EXECUTIONS}/ex_none/targets")).status_code == 404
    events = (await world.client.get(f"{EXECUTIONS}/{view['id']}/events")).json()["items"]
    started = [one["data"] for one in events if one["type"] == "step.batch_started"]
    assert started[0]["targets"] == ["agent-test"]
