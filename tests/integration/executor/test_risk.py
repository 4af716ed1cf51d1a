"""Runs are looked at before they start, through the gateway, a real validator and a real agent; the
risk gate lets them go, has people approve them, or refuses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.integration.executor.validator_process import ValidatorProcess
from tests.integration.executor.world import World
from tests.integration.gateway_world import World as Gateway
from tests.integration.gateway_world import open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = "/api/v1/workflows"
EXECUTIONS = f"{BASE}/executions"
LOOK = {"id": "look", "command": "noop"}
BARE = {
    "id": "change",
    "command": "shell",
    "parameters": {"script": "mkdir -p x"},
    "irreversible": "a folder more does no harm",
}
INSTALLATION = """\
rules:
  - when: findings.exists(f, f.code == 'busy-agents')
    then: refuse
  - when: effects.irreversible > 1
    then: approve
    approval: {approvers: {groups: [bosses]}}
    reason: more than one step cannot be undone
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway with rules of its own, beside an executor."""
    rules = world.home / "gate.yaml"
    rules.write_text(INSTALLATION)
    await world.executor("one")
    urls = world.servers.nats_url("gateway"), world.servers.mongo_url
    home: Path = tmp_path_factory.mktemp("gateway")
    async with open_world(*urls, home, risk_gate=rules) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator(world: World) -> AsyncIterator[ValidatorProcess]:
    """A validator, from the first test on that asks for it."""
    async with ValidatorProcess(world.servers, world.home) as made:
        yield made


async def run(
    gateway: Gateway, name: str, *steps: dict[str, Any], **policies: Any
) -> httpx.Response:
    """Save a template with this policy of validation, and ask for a run of it."""
    definition = {
        "id": name,
        "name": name,
        "steps": list(steps),
        "policies": {"validation": policies},
    }
    stored = await gateway.client.post(f"{BASE}/templates", json=definition)
    assert stored.status_code == 201, stored.text
    return await gateway.client.post(f"{BASE}/execute", json={"template_id": name})


async def accepted(gateway: Gateway, *args: Any, **policies: Any) -> str:
    """The same; gives the id of the execution."""
    answer = await run(gateway, *args, **policies)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["execution_id"])


async def test_without_a_validator_nothing_is_guessed(gateway: Gateway) -> None:
    """503 that names what is missing; a level is never quietly lowered. (No test before this one
    has asked for a validator.)"""
    answer = await run(gateway, "alone", LOOK, level="strict")
    assert answer.status_code == 503, answer.text
    assert "validator" in answer.json()["detail"]


@pytest.mark.usefixtures("validator")
async def test_a_run_that_passes_goes_and_says_what_was_found(
    world: World, gateway: Gateway
) -> None:
    """The level, the counts and the prediction are kept with it, and who asks why is told."""
    execution = await accepted(gateway, "fine", LOOK, level="paranoid")
    await world.ended(execution)
    view = (await gateway.client.get(f"{EXECUTIONS}/{execution}")).json()
    verdict = view["verdict"]
    assert (verdict["level"], verdict["decision"]) == ("paranoid", "run")
    assert verdict["failure"] < 0.05
    told = (await gateway.client.get(f"{EXECUTIONS}/{execution}/provenance")).json()
    (started,) = [deed for deed in told["deeds"] if deed["role"] == "started"]
    assert started["detail"].startswith("looked at on level paranoid: 0 errors")
    assert "predicted to fail" in started["detail"]


@pytest.mark.usefixtures("validator")
async def test_what_the_live_system_says_refuses_a_run(world: World, gateway: Gateway) -> None:
    """No agent for it: 422 with the step and what to do, and nothing is in the journal."""
    nobody = {**BARE, "target": {"labels": {"role": "nobody"}}}
    before = (await world.bus.jetstream.stream_info("JOURNAL_0")).state.last_seq
    answer = await run(gateway, "nobody", nobody, level="strict")
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"].endswith("refused-by-validation")
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [("steps/0", "no-agent")]
    assert (await world.bus.jetstream.stream_info("JOURNAL_0")).state.last_seq == before


async def test_the_gate_of_a_template_refuses(gateway: Gateway) -> None:
    """The answer names the rule, whose it is, and its words."""
    gate = [{"when": "effects.irreversible > 0", "then": "refuse", "reason": "not on a Friday"}]
    answer = await run(gateway, "friday", BARE, gate=gate)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert (
        "`effects.irreversible > 0` of its template refuses it: not on a Friday"
        in (problem["detail"])
    )
    assert problem["errors"][0]["field"] == "policies/validation/gate"


async def test_a_risky_run_waits_for_somebody_else(world: World, gateway: Gateway) -> None:
    """Whoever asked may not approve it; another person does, by the hash, and it runs."""
    gate = [{"when": "effects.irreversible > 0", "then": "approve", "reason": "look at it first"}]
    execution = await accepted(gateway, "risky", BARE, gate=gate)
    await world.state_when(execution, lambda state: state.approval.value == "requested")
    path = f"{EXECUTIONS}/{execution}/approve"
    view = (await gateway.client.get(f"{EXECUTIONS}/{execution}")).json()
    assert view["verdict"]["reason"] == "look at it first"
    state = await world.queries.get(execution)
    assert state is not None
    digest = state.gates["workflow"].subject_hash
    own = await gateway.client.post(path, json={"subject_hash": digest})
    assert own.status_code in (403, 409), own.text
    bob = await gateway.as_role("operator", "bob")
    other = await bob.post(path, json={"subject_hash": digest})
    assert other.status_code == 202, other.text
    assert (await world.ended(execution)).status.value == "completed"


async def test_the_installation_asks_whatever_the_template_says(
    world: World, gateway: Gateway
) -> None:
    """A template that lets everything go cannot weaken it, and its people are those it names."""
    gate = [{"when": "true", "then": "run"}]
    second = {**BARE, "id": "again"}
    execution = await accepted(gateway, "bold", BARE, second, gate=gate)
    state = await world.state_when(execution, lambda state: bool(state.gates))
    assert state.verdict is not None
    assert state.verdict.by == "installation"
    assert state.gates["workflow"].rule.approvers.groups == ("bosses",)


async def test_schedules_and_rules_ask_nobody(gateway: Gateway) -> None:
    """Runs that come later without anybody who could be asked must be such that they may go."""
    gate = [{"when": "effects.irreversible > 0", "then": "approve"}]
    await run(gateway, "nightly", BARE, gate=gate)
    schedule = {"name": "n", "template_id": "nightly", "timetable": {"cron": "0 3 * * *"}}
    answer = await gateway.client.post("/api/v1/schedules", json=schedule)
    assert answer.status_code == 422, answer.text
    assert "nobody can be asked here" in answer.json()["detail"]
    rule = {"name": "r", "template_id": "nightly", "receiver": "executions"}
    answer = await gateway.client.post("/api/v1/triggers/rules", json=rule)
    assert answer.status_code == 422, answer.text
    assert "nobody can be asked here" in answer.json()["detail"]


@pytest.mark.usefixtures("validator")
async def test_a_run_again_is_looked_at_again(world: World, gateway: Gateway) -> None:
    """What let the first run go need not let the next one."""
    execution = await accepted(gateway, "twice", LOOK, level="strict")
    await world.ended(execution)
    answer = await gateway.client.post(f"{EXECUTIONS}/{execution}/rerun", json={})
    assert answer.status_code == 202, answer.text
    again = await world.ended(answer.json()["execution_id"])
    assert again.verdict is not None
    assert again.verdict.level == "strict"


@pytest.mark.usefixtures("validator")
async def test_a_report_has_the_forecast(gateway: Gateway) -> None:
    """`POST /workflows/validate` on the deepest level, without running anything."""
    definition = {"id": "x", "name": "X", "steps": [LOOK, {**BARE, "depends_on": ["look"]}]}
    body = {"definition": definition, "level": "paranoid", "parameters": {}}
    answer = await gateway.client.post(f"{BASE}/validate", json=body)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["forecast"]["runs"] == 1_000
    assert "assumed-figures" in {f["code"] for f in report["findings"]}
    assert report["passed"]
