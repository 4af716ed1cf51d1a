"""Validation through the gateway: on request, when a template is saved, and before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.contracts.validation import ValidationAnswer, ValidationQuestion
from shared.memory.validator import Look, MemoryValidator
from shared.validation.finding import Finding
from tests.integration.gateway_answers import definition, problem
from tests.integration.gateway_fixtures import own_database, quiet_world  # noqa: F401
from tests.integration.gateway_world import World, open_world
from tests.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEMPLATES = "/api/v1/workflows/templates"
VALIDATE = "/api/v1/workflows/validate"
EXECUTE = "/api/v1/workflows/execute"
PROBE = {"id": "probe", "command": "http", "parameters": {"url": "${{ params.url }}"}}
URL = {"url": {"type": "string", "default": "https://example.com/health"}}
SHELL = {"id": "switch", "command": "shell", "parameters": {"argv": ["ln", "-s", "a", "b"]}}


async def validated(world: World, **body: Any) -> dict[str, Any]:
    answer = await world.client.post(VALIDATE, json=body)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def stored(world: World, name: str, *steps: Any, **fields: Any) -> dict[str, Any]:
    made = definition(name, steps=list(steps), parameters={}, **fields)
    answer = await world.client.post(TEMPLATES, json=made)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def found(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["code"], one["path"]) for one in report["findings"]]


async def test_a_definition_is_looked_at(world: World) -> None:
    """As an object; nothing is stored."""
    bad = {"id": "val_none", "name": "n", "steps": [{"id": "a", "command": "htpp"}]}
    report = await validated(world, definition=bad)
    assert found(report) == [("unknown-command", "steps/0/command")]
    assert report["passed"] is False
    assert report["counts"]["error"] == 1
    [finding] = report["findings"]
    [operation] = finding["patch"]
    assert (operation["op"], operation["path"]) == ("replace", "/steps/0/command")
    assert operation["value"] == "http"
    assert (await world.client.get(f"{TEMPLATES}/val_none")).status_code == 404


async def test_a_text_is_looked_at_with_lines(world: World) -> None:
    """As YAML, however broken it is."""
    text = "id: a\nname: A\nsteps:\n  - id: x\n    command: noop\n    depend_on: [y]\n"
    [finding] = (await validated(world, text=text))["findings"]
    assert (finding["code"], finding["line"], finding["column"]) == ("unknown-field", 6, 5)
    [finding] = (await validated(world, text="id: 'a\n"))["findings"]
    assert finding["code"] == "malformed-document"


async def test_a_run_of_a_stored_template_is_looked_at(world: World) -> None:
    """With its parameters, at the level of its policy."""
    made = definition("val_run2", steps=[PROBE], parameters=URL)
    assert (await world.client.post(TEMPLATES, json=made)).status_code == 201
    good = await validated(world, template_id="val_run2", parameters={})
    assert (good["passed"], good["level"], good["template_version"]) == (True, "standard", "1.0.0")
    bad = await validated(world, template_id="val_run2", parameters={"url": "gopher://x"})
    assert found(bad) == [("refused-by-command", "steps/0/parameters/url")]
    odd = await validated(world, template_id="val_run2", parameters={"uri": "x"})
    assert found(odd) == [("unknown-run-parameter", "parameters/uri")]
    missing = await world.client.post(VALIDATE, json={"template_id": "val_nothing"})
    problem(missing, 404)


async def test_what_is_asked_must_be_one_thing(world: World) -> None:
    """A definition, a text or a template: not two, not none."""
    for body in ({}, {"text": "id: a", "template_id": "b"}, {"text": "id: a", "version": "1.0.0"}):
        problem(await world.client.post(VALIDATE, json=body), 422)


async def test_errors_keep_a_template_from_being_saved(world: World) -> None:
    """Every one is told, with what to do; a warning comes with the answer."""
    bad = definition("val_bad", steps=[{**PROBE, "success_criteria": ["output.code == 200"]}])
    errors = problem(await world.client.post(TEMPLATES, json=bad), 422)["errors"]
    assert ("unknown-output-field", "steps/0/success_criteria/0") in {
        (one["code"], one["field"]) for one in errors
    }
    assert all(one["fix"] for one in errors)
    retried = {**SHELL, "retry": {"max_attempts": 3}}
    warnings = (await stored(world, "val_warned", retried))["warnings"]
    assert [one["code"] for one in warnings] == ["unsafe-retry"]


async def test_a_run_is_refused_with_what_where_and_how(world: World) -> None:
    """Parameters that a command would refuse keep a run from being accepted."""
    made = definition("val_refused", steps=[PROBE], parameters=URL)
    assert (await world.client.post(TEMPLATES, json=made)).status_code == 201
    answer = await world.client.post(
        EXECUTE, json={"template_id": "val_refused", "parameters": {"url": "ftp://x"}}
    )
    details = problem(answer, 422)
    assert details["type"] == "urn:hive:problem:refused-by-validation"
    [error] = details["errors"]
    assert error["field"] == "steps/0/parameters/url"
    assert error["code"] == "refused-by-command"
    assert error["fix"]
    fine = {"template_id": "val_refused", "parameters": {"url": "https://x/"}}
    assert (await world.client.post(EXECUTE, json=fine)).status_code == 202


async def test_a_stricter_policy_refuses_a_run_before_anybody_is_asked(world: World) -> None:
    """The static rules of strict need no validator."""
    policies = {"validation": {"level": "strict"}}
    await stored(world, "val_strict", SHELL, policies=policies)
    details = problem(await world.client.post(EXECUTE, json={"template_id": "val_strict"}), 422)
    assert [one["code"] for one in details["errors"]] == ["no-way-back"]


async def test_a_level_is_never_quietly_lowered(world: World) -> None:
    """Where no validator answers, a strict run is refused with 503, which names the service."""
    policies = {"validation": {"level": "strict"}}
    await stored(world, "val_alone", {"id": "a", "command": "noop"}, policies=policies)
    for path, body in (
        (EXECUTE, {"template_id": "val_alone"}),
        (VALIDATE, {"template_id": "val_alone"}),
    ):
        details = problem(await world.client.post(path, json=body), 503)
        assert "validator" in details["detail"]


async def test_suppressed_findings_do_not_count(world: World) -> None:
    """They stay in the report, with the reason."""
    suppress = [{"code": "unsafe-retry", "at": "steps/0", "reason": "a link is only made once"}]
    retried = {**SHELL, "retry": {"max_attempts": 3}}
    policies = {"validation": {"suppress": suppress}}
    assert (await stored(world, "val_quiet", retried, policies=policies))["warnings"] == []
    [finding] = (await validated(world, template_id="val_quiet"))["findings"]
    assert finding["suppressed"] == "a link is only made once"


async def test_a_schedule_of_a_run_that_would_be_refused_is_not_made(world: World) -> None:
    """It would fail at night, with nobody there."""
    made = definition("val_nightly", steps=[PROBE], parameters=URL)
    assert (await world.client.post(TEMPLATES, json=made)).status_code == 201
    schedule = {
        "name": "nightly",
        "template_id": "val_nightly",
        "parameters": {"url": "ftp://x"},
        "timetable": {"every_s": 3_600},
    }
    details = problem(await world.client.post("/api/v1/schedules", json=schedule), 422)
    assert details["type"] == "urn:hive:problem:refused-by-validation"


async def test_settings_and_live_findings(world: World, servers: Servers, tmp_path: Path) -> None:
    """An installation's file sets severities by category; what the validator finds is set and
    suppressed like anything else."""

    async def look(question: ValidationQuestion) -> ValidationAnswer:
        assert question.level == "strict"
        live = Finding(
            code="no-agent", severity="error", level="strict", path="steps/0", message="nobody"
        )
        return ValidationAnswer(findings=(live,))

    rules = tmp_path / "rules.yaml"
    rules.write_text('severities:\n  "*": {unsafe-retry: error}\n  lab: {no-agent: warning}\n')
    with own_database(servers) as mongo_url:
        await _with_settings(servers.nats_url(), mongo_url, tmp_path, rules, look)


async def _with_settings(
    nats_url: str, mongo_url: str, home: Path, rules: Path, look: Look
) -> None:
    async with open_world(nats_url, mongo_url, home, validation_rules=rules) as other:
        retried = definition("val_set", steps=[{**SHELL, "retry": {"max_attempts": 3}}])
        errors = problem(await other.client.post(TEMPLATES, json=retried), 422)["errors"]
        assert [one["code"] for one in errors] == ["unsafe-retry"]
        object.__setattr__(other.gateway.parts, "validator", MemoryValidator(look))
        policies = {"validation": {"level": "strict"}}
        noop = {"id": "a", "command": "noop"}
        await stored(other, "val_live", noop, policies=policies)
        details = problem(await other.client.post(EXECUTE, json={"template_id": "val_live"}), 422)
        assert [one["code"] for one in details["errors"]] == ["no-agent"]
        await stored(other, "val_lab", noop, policies=policies, category="lab")
        report = await validated(other, template_id="val_lab")
        assert [(one["code"], one["severity"]) for one in report["findings"]] == [
            ("no-agent", "warning")
        ]
        assert (
            await other.client.post(EXECUTE, json={"template_id": "val_lab"})
        ).status_code == 202
