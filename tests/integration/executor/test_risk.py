"""Runs are looked at before they start, through the gateway, a real validator and a real agent; the
risk gate lets them go, has people approve them, or refuses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
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


async def scheduled(gateway: Gateway, template: str) -> str:
    """Make a schedule that runs a template once, at once; gives its id."""
    at = datetime.now(UTC) + timedelta(seconds=1)
    body = {"name": "n", "template_id": template, "timetable": {"at": at.isoformat()}}
    answer = await gateway.client.post("/api/v1/schedules", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def firing(gateway: Gateway, schedule: str, **wanted: str) -> dict[str, Any]:
    """What became of its only moment, once that is so."""
    async with asyncio.timeout(20):
        while True:
            view = (await gateway.client.get(f"/api/v1/schedules/{schedule}")).json()
            for one in view["recent"]:
                if wanted.items() <= one.items():
                    return dict(one)
            await asyncio.sleep(0.05)


async def test_what_would_always_be_refused_is_not_scheduled(gateway: Gateway) -> None:
    """A schedule or rule whose runs the gate refuses whatever comes is refused when it is made."""
    gate = [{"when": "effects.irreversible > 0", "then": "refuse", "reason": "by hand only"}]
    await run(gateway, "never", BARE, gate=gate)
    schedule = {"name": "n", "template_id": "never", "timetable": {"cron": "0 3 * * *"}}
    rule = {"name": "r", "template_id": "never", "receiver": "executions"}
    for path, body in (("schedules", schedule), ("triggers/rules", rule)):
        answer = await gateway.client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 422, answer.text
        assert "by hand only" in answer.json()["detail"]


async def test_a_scheduled_run_asks_people_when_its_time_has_come(
    world: World, gateway: Gateway
) -> None:
    """The gate wants it approved: the execution waits for people as any other does."""
    gate = [{"when": "effects.irreversible > 0", "then": "approve", "reason": "look first"}]
    await run(gateway, "nightly", BARE, gate=gate)
    started = await firing(gateway, await scheduled(gateway, "nightly"), outcome="started")
    state = await world.state_when(
        started["execution_id"], lambda state: state.approval.value == "requested"
    )
    assert state.verdict is not None
    assert state.verdict.reason == "look first"
    assert state.steps["change"].status.value == "pending"


@pytest.mark.usefixtures("validator")
async def test_a_scheduled_run_is_looked_at_when_its_time_has_come(
    world: World, gateway: Gateway
) -> None:
    """At its template's level: nobody can run it now, so nothing of it runs. Its schedule, its
    own failure and `hv why` have what was found; one that passes runs, and says so."""
    nobody = {**BARE, "target": {"labels": {"role": "nobody"}}}
    await run(gateway, "lonely", nobody, level="strict")
    refused = await firing(gateway, await scheduled(gateway, "lonely"), ended="refused")
    assert "no-agent at steps/0" in refused["reason"]
    execution = refused["execution_id"]
    state = await world.ended(execution)
    assert state.failure is not None
    assert state.failure.code == "refused_by_validation"
    assert not any(step.attempts for step in state.steps.values())
    why = (await gateway.client.get(f"{EXECUTIONS}/{execution}/explain")).json()
    assert "no-agent at steps/0" in why["answer"]
    events = (await gateway.client.get(f"{EXECUTIONS}/{execution}/events")).json()["items"]
    assert [e["type"] for e in events][:3] == [
        "execution.created",
        "execution.validating",
        "execution.validated",
    ]
    await run(gateway, "easy", LOOK, level="strict")
    passed = await firing(gateway, await scheduled(gateway, "easy"), ended="completed")
    state = await world.ended(passed["execution_id"])
    assert state.verdict is not None
    assert (state.verdict.level, state.verdict.decision) == ("strict", "run")


@pytest.mark.usefixtures("validator")
async def test_a_call_is_looked_at_on_the_level_of_its_own_template(
    world: World, gateway: Gateway
) -> None:
    """A sub-workflow whose policy asks for more than its caller's is looked at when it begins."""
    nobody = {**BARE, "target": {"labels": {"role": "nobody"}}}
    await run(gateway, "inner", nobody, level="strict")
    call = {"id": "call", "workflow": {"template": "inner", "version": "1.0.0"}}
    parent = await world.ended(await accepted(gateway, "outer", call))
    assert parent.status.value == "failed"
    child = await world.ended(parent.steps["call"].child or "")
    assert child.failure is not None
    assert child.failure.code == "refused_by_validation"
    assert "no-agent" in child.failure.message
    assert not any(step.attempts for step in child.steps.values())


async def test_what_a_run_calls_counts_in_its_verdict(gateway: Gateway) -> None:
    """The gate of a called template refuses the run that would call it, before it has begun, and
    so does the installation, whose rules hold for each of them."""
    gate = [{"when": "effects.irreversible > 0", "then": "refuse", "reason": "not from here"}]
    await run(gateway, "guarded", BARE, gate=gate)
    call = {"id": "call", "workflow": {"template": "guarded", "version": "1.0.0"}}
    answer = await run(gateway, "caller", call)
    assert answer.status_code == 422, answer.text
    assert "of guarded@1.0.0, which it calls: not from here" in answer.json()["detail"]
    two = [BARE, {**BARE, "id": "again"}]
    await run(gateway, "twofold", *two)
    call = {"id": "call", "workflow": {"template": "twofold", "version": "1.0.0"}}
    execution = await accepted(gateway, "calls_two", call)
    view = (await gateway.client.get(f"{EXECUTIONS}/{execution}")).json()
    assert (view["verdict"]["decision"], view["verdict"]["by"]) == ("approve", "installation")


@pytest.mark.usefixtures("validator")
async def test_what_an_event_starts_is_looked_at(world: World, gateway: Gateway) -> None:
    """The rule's record says that its run was refused, and why."""
    nobody = {**BARE, "target": {"labels": {"role": "nobody"}}}
    await run(gateway, "echoed", nobody, level="strict")
    body = {
        "name": "r",
        "template_id": "echoed",
        "receiver": "executions",
        "events": ["execution.completed"],
        "when": "event.data.template_id == 'spark'",
    }
    made = await gateway.client.post("/api/v1/triggers/rules", json=body)
    assert made.status_code == 201, made.text
    path = f"/api/v1/triggers/rules/{made.json()['id']}"
    async with asyncio.timeout(30):
        refused: list[dict[str, Any]] = []
        await run(gateway, "spark", LOOK)
        while not refused:
            await asyncio.sleep(0.3)
            recent = (await gateway.client.get(path)).json()["recent"]
            refused = [one for one in recent if one["ended"] == "refused"]
            if not recent:  # the rule is followed from a moment after it was made
                await gateway.client.post(f"{BASE}/execute", json={"template_id": "spark"})
    assert "no-agent at steps/0" in refused[0]["reason"]
    assert not any(
        s.attempts for s in (await world.ended(refused[0]["execution_id"])).steps.values()
    )


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
