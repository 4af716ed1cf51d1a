"""Values for parameters: what is right of a small corpus, types, and what is never filled in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.suggest.prefill import Known, Value, prefill
from shared.suggest.value_types import fitting, in_unit_of
from shared.templates.loader import builtin
from shared.workflow.declared import Parameter
from shared.workflow.definition import Template

BUILTIN = {template.id: template for template in builtin()}
OWN = Template.model_validate(
    {
        "id": "own",
        "name": "Own",
        "parameters": {
            "host": {"type": "string", "pattern": "^[a-z0-9-]+$"},
            "service": {"type": "string"},
            "cve": {"type": "string"},
            "maintenance_window": {"type": "string"},
            "duration_min": {"type": "integer", "minimum": 1, "maximum": 600},
            "version": {"type": "string"},
            "port": {"type": "integer"},
            "ticket": {"type": "string"},
            "dry_run": {"type": "boolean", "default": True},
            "api_token": {"type": "string"},
            "password": {"type": "string", "default": "never"},
        },
        "steps": [{"id": "a", "command": "noop"}],
    }
)
CORPUS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "incident_response",
        "CRITICAL: checkout is down on web-1 since 14:05",
        {"severity": "critical", "affected_systems": ["web-1"]},
    ),
    (
        "incident_response",
        "Severity: low. The redis cluster answers slowly, host cache-3.",
        {"severity": "low", "affected_systems": ["redis", "cache-3"]},
    ),
    (
        "security_alert",
        "CVE-2026-1234 in openssl, severity high, affects mail-1 and mail-2",
        {"severity": "high", "affected_systems": ["openssl", "mail-1", "mail-2"]},
    ),
    ("task_delegation", "Please renew the certificates, urgent.", {"priority": "urgent"}),
    ("own", "restart nginx on web-7", {"host": "web-7", "service": "nginx"}),
    (
        "own",
        "Maintenance of db-2 from 02:00 to 04:00 UTC, ticket CHG-4711, about 90 minutes",
        {
            "host": "db-2",
            "maintenance_window": "02:00-04:00 UTC",
            "ticket": "CHG-4711",
            "duration_min": 90,
        },
    ),
    ("own", "upgrade postgres to version 16.4", {"service": "postgresql", "version": "16.4"}),
    ("own", "CVE-2026-99999: patch it at once", {"cve": "CVE-2026-99999"}),
    ("own", "nothing of that is in here", {}),
)


def filled(template: str, text: str, **known: Any) -> dict[str, Value]:
    found = prefill({**BUILTIN, "own": OWN}[template], Known(user="ann", text=text, **known))
    return {one.name: one for one in found}


def test_most_values_of_the_corpus_are_right() -> None:
    """Of what should be found at least four in five are; of what is found in the text hardly
    anything is wrong."""
    wanted = right = wrong = 0
    for template, text, values in CORPUS:
        found = filled(template, text)
        for name, value in values.items():
            wanted += 1
            got = found.get(name)
            same = got is not None and (
                set(got.value) == set(value) if isinstance(value, list) else got.value == value
            )
            right += same
        for name, one in found.items():
            told = one.source == "text" and one.confidence >= 0.65
            wrong += told and name not in values
    assert wanted == 16
    assert right >= 12
    assert wrong <= 2


@pytest.mark.parametrize("name", ["api_token", "password"])
def test_secret_parameters_are_never_filled(name: str) -> None:
    """Not from facts, not from commands, not even by their default."""
    known: dict[str, Any] = {"facts": {name: "abc"}, "commands": {name: "abc"}}
    assert name not in filled("own", f"{name}: abc", **known)


def test_values_that_look_like_secrets_are_not_filled() -> None:
    """Whatever the parameter is called."""
    secret = "ghp_" + "a1B2" * 9
    assert "ticket" not in filled("own", "x", facts={"ticket": secret})
    assert "host" not in filled("own", "x", facts={"host": "${{ secrets.host }}"})


def test_what_was_said_outright_comes_before_the_text() -> None:
    """Facts, then commands, then what is named."""
    text = "restart nginx on web-7"
    assert filled("own", text, facts={"host": "web-9"})["host"].value == "web-9"
    assert filled("own", text, commands={"host": "web-8"})["host"].value == "web-8"
    assert filled("own", text)["host"].value == "web-7"


def test_live_agents_that_the_text_names() -> None:
    """An agent's name is surer than any other word, and the only one is offered."""
    found = filled("own", "look at build-box please", agents=["build-box", "web-1"])["host"]
    assert (found.value, found.source) == ("build-box", "agents")
    assert filled("own", "x", agents=["only-one"])["host"].confidence < 0.5


@pytest.mark.parametrize(
    ("declared", "value", "made"),
    [
        ({"type": "integer", "maximum": 10}, "7", 7),
        ({"type": "integer", "maximum": 10}, "11", None),
        ({"type": "integer"}, "7.5", None),
        ({"type": "number"}, "nan", None),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "perhaps", None),
        ({"type": "string", "maxLength": 3}, "four", None),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A1", None),
        ({"type": "string", "enum": ["a", "b"]}, "c", None),
        ({"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}}, ["a", "B"], ["a"]),
        ({"type": "array", "items": {"type": "integer"}}, ["a"], None),
        ({"type": "object"}, {"a": 1}, None),
    ],
)
def test_a_value_has_the_parameters_type_or_is_none(
    declared: dict[str, Any], value: Any, made: Any
) -> None:
    """What the schema would refuse is not offered."""
    assert fitting(Parameter.model_validate(declared), value) == made


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("timeout_s", "30 minutes", 1_800),
        ("duration_min", "2 hours", 120),
        ("keep_days", "1 week", 7),
        ("pause_h", "half an hour", 0.5),
        ("length", "an hour", 3_600),
    ],
)
def test_durations_are_in_the_unit_of_the_name(name: str, text: str, value: float) -> None:
    """Seconds where the name says none."""
    assert in_unit_of(name, text) == value
