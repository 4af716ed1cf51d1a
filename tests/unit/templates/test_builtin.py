"""The six built-in templates: complete, typed, in the right order, with criteria that decide."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.templates.loader import builtin, dump_yaml, load, load_file
from shared.workflow.definition import Template, TriggerKind
from shared.workflow.parameters import prepare_parameters
from shared.workflow.program import Program, compile_template

REGISTRY = CommandRegistry.builtin()
SIGNATURES = signatures(REGISTRY)
TEMPLATES = {template.id: template for template in builtin()}
FOLDER = Path(__file__).parents[3] / "shared/templates"
SHIPPED = tuple(
    load_file(path) for kind in ("demo", "tools") for path in sorted(FOLDER.glob(f"{kind}/*.yaml"))
)
"""Those that come along without being stored at once."""

ORDER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "incident_response": {
        "assess_status": (),
        "broadcast_incident": ("assess_status",),
        "find_similar": ("assess_status",),
        "delegate_resolution": ("broadcast_incident", "find_similar"),
        "document": ("delegate_resolution",),
    },
    "security_alert": {
        "document": (),
        "check_awareness": ("document",),
        "broadcast_threat": ("check_awareness",),
        "delegate_analysis": ("broadcast_threat",),
    },
    "maintenance_window": {
        "sync": (),
        "document": ("sync",),
        "broadcast_start": ("document",),
        "check_status": ("broadcast_start",),
        "broadcast_completion": ("check_status",),
    },
    "knowledge_sharing": {
        "search_existing": (),
        "broadcast_knowledge": ("search_existing",),
        "verify_receipt": ("broadcast_knowledge",),
    },
    "config_update": {
        "sync_current": (),
        "document": ("sync_current",),
        "broadcast_change": ("document",),
        "verify_agents": ("broadcast_change",),
    },
    "task_delegation": {
        "document": (),
        "find_agent": ("document",),
        "delegate": ("find_agent",),
        "check_status": ("delegate",),
    },
}
"""Each step, and what it waits for."""

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "incident_response": {"title": "Database answers slowly"},
    "security_alert": {"title": "Outdated OpenSSL"},
    "maintenance_window": {"title": "Kernel update"},
    "knowledge_sharing": {"topic": "Message broker", "knowledge": "Stop the consumers first."},
    "config_update": {
        "bundle": "web",
        "files": [{"path": "site.conf", "content": "listen 8080;\n"}],
        "summary": "The web servers listen on port 8080.",
    },
    "task_delegation": {"task": "Rotate the certificates."},
    "fleet_report": {},
    "config_host": {
        "agent": "web-1",
        "path": "/srv/site.conf",
        "content": "[site]",
        "health_url": "http://127.0.0.1:8080/health",
    },
    "config_rollout": {"content": "[site]", "sites": {}},
    "put_back": {"agent": "web-1", "execution_id": "ex_1", "step": "deploy"},
}

STATUS = {
    "total": 2,
    "reachable": 2,
    "healthy": 2,
    "unreachable": [],
    "unhealthy": [],
    "agents": [],
    "broadcast": {"broadcast_id": "b", "acknowledged_by": ["a"], "missing": []},
    "delegation": {"delegation_id": "d", "status": "accepted", "participant": "p"},
}
SENT = {"expected": 2, "acknowledged": 2, "acknowledged_by": ["a", "b"], "missing": []}
SYNCED = {"total": 2, "in_sync": 2, "unreachable": [], "bundles": [{"version": 3}]}
ASKED = {"count": 1, "agents": [{"agent": "a"}], "participants": [{"name": "p"}]}
DELEGATED = {"status": "completed", "participant": "p", "delegation_id": "d", "result": {}}

CRITERIA: list[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("incident_response", "assess_status", STATUS, {"reachable": 0}),
    ("incident_response", "broadcast_incident", SENT, {"acknowledged": 0}),
    ("incident_response", "delegate_resolution", DELEGATED, {"status": "expired"}),
    ("security_alert", "check_awareness", ASKED, {"agents": []}),
    ("security_alert", "check_awareness", ASKED, {"count": 0}),
    ("security_alert", "broadcast_threat", SENT, {"acknowledged": 0}),
    ("security_alert", "delegate_analysis", DELEGATED, {"status": "accepted"}),
    ("maintenance_window", "sync", SYNCED, {"in_sync": 1}),
    ("maintenance_window", "sync", SYNCED, {"unreachable": ["b"]}),
    ("maintenance_window", "broadcast_start", SENT, {"missing": ["b"]}),
    ("maintenance_window", "check_status", STATUS, {"healthy": 1}),
    ("maintenance_window", "broadcast_completion", SENT, {"acknowledged": 0}),
    ("knowledge_sharing", "broadcast_knowledge", SENT, {"expected": 0}),
    ("knowledge_sharing", "verify_receipt", STATUS, {"broadcast": {"missing": ["b"]}}),
    ("knowledge_sharing", "verify_receipt", STATUS, {"broadcast": None}),
    ("config_update", "sync_current", SYNCED, {"in_sync": 1}),
    ("config_update", "broadcast_change", SENT, {"acknowledged": 0}),
    ("config_update", "verify_agents", SYNCED, {"in_sync": 0}),
    ("task_delegation", "find_agent", ASKED, {"participants": []}),
    ("task_delegation", "check_status", STATUS, {"delegation": {"status": "offered"}}),
]


def program(name: str) -> Program:
    """A built-in template, compiled against the real commands."""
    return compile_template(TEMPLATES[name], SIGNATURES)


def everything() -> list[Template]:
    """The built-in templates, the demo's, and those of tools."""
    return [*TEMPLATES.values(), *SHIPPED]


def test_these_six_are_built_in() -> None:
    """No more and no less, each as its own file says."""
    assert set(TEMPLATES) == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_steps_wait_for_what_they_should(name: str) -> None:
    """Steps, their order and their dependencies are as specified, with expressions that compile."""
    graph = program(name).graph
    assert {step: graph.dependencies[step] for step in graph.order} == ORDER[name]


@pytest.mark.parametrize("template", everything(), ids=lambda template: template.id)
def test_everything_is_documented(template: Template) -> None:
    """A form made of the template needs no other text."""
    assert template.description
    assert template.prerequisites
    assert template.triggers
    assert template.estimated_duration_s
    for name, parameter in template.parameters.items():
        assert parameter.title, name
        assert parameter.description, name
        assert parameter.enum or parameter.examples or parameter.has_default, name
    assert all(step.name and step.description for step in template.steps)


@pytest.mark.parametrize("template", everything(), ids=lambda template: template.id)
def test_the_commands_take_these_parameters(template: Template) -> None:
    """Every step names a command that exists, with parameters that its schema allows."""
    compile_template(template, SIGNATURES)
    for step in (one for one in template.steps if one.command):
        found = REGISTRY.check_parameters(step.command, step.parameters, allow_expressions=True)
        assert found == [], step.id
        if step.rollback is not None:
            rollback = step.rollback
            assert not REGISTRY.check_parameters(
                rollback.command, rollback.parameters, allow_expressions=True
            )


@pytest.mark.parametrize("template", everything(), ids=lambda template: template.id)
def test_the_least_that_must_be_given_is_enough(template: Template) -> None:
    """Required parameters are few, and defaults complete them."""
    given = EXAMPLES[template.id]
    assert {n for n, p in template.parameters.items() if p.is_required} == set(given)
    assert set(prepare_parameters(template, given)) == set(template.parameters)


@pytest.mark.parametrize("template", everything(), ids=lambda template: template.id)
def test_templates_survive_export_and_import(template: Template) -> None:
    """Exported YAML reads back as the same template."""
    assert load(dump_yaml(template)) == template


def test_who_must_approve_and_what_can_be_undone() -> None:
    """Two templates ask a person first; the configuration has a way back."""
    asking = {t.id for t in TEMPLATES.values() if t.policies.approval_required}
    assert asking == {"maintenance_window", "config_update"}
    rollback = TEMPLATES["config_update"].steps[0].rollback
    assert rollback is not None
    assert rollback.parameters["operation"] == "restore"


def test_an_alert_triggers_only_what_answers_alerts() -> None:
    """Triggers are of known kinds, and manual ones have words to be found by."""
    manual = [t for t in TEMPLATES.values() if any(g.keywords for g in t.triggers)]
    assert len(manual) == 6
    alerted = {
        t.id
        for t in TEMPLATES.values()
        if any(g.kind is TriggerKind.MONITORING_ALERT for g in t.triggers)
    }
    assert alerted == {"incident_response", "security_alert"}


@pytest.mark.parametrize(("name", "step", "good", "change"), CRITERIA)
def test_criteria_hold_and_fail(
    name: str, step: str, good: Mapping[str, Any], change: Mapping[str, Any]
) -> None:
    """A good output passes every criterion of its step; the changed one fails at least one."""
    parameters = prepare_parameters(TEMPLATES[name], EXAMPLES[name])

    def judged(output: Mapping[str, Any]) -> bool:
        data = {"output": output, **{f"output.{key}": value for key, value in output.items()}}
        data |= {f"params.{key}": value for key, value in parameters.items()}
        return all(criterion.test(data) for criterion in program(name).steps[step].criteria)

    assert judged(good)
    assert not judged({**good, **change})


def test_every_step_that_asks_the_hive_is_judged() -> None:
    """Only steps that cannot succeed emptily go without criteria."""
    without = {
        (template.id, step.command)
        for template in TEMPLATES.values()
        for step in template.steps
        if not step.success_criteria
    }
    assert {command for _, command in without} == {"remember", "recall", "hv-delegate"}


@pytest.mark.parametrize(
    ("severity", "priority", "broadcast"),
    [
        ("low", "low", "info"),
        ("medium", "normal", "info"),
        ("high", "high", "warning"),
        ("critical", "urgent", "critical"),
    ],
)
def test_severity_sets_priority_and_urgency(severity: str, priority: str, broadcast: str) -> None:
    """The words of an incident become those of broadcasts and delegations."""
    compiled = program("incident_response")
    given = {"title": "Database answers slowly", "severity": severity, "affected_systems": ["db-1"]}
    data = {
        f"params.{name}": value
        for name, value in prepare_parameters(compiled.template, given).items()
    }
    steps: Mapping[str, Mapping[str, Any]] = {
        "assess_status": STATUS,
        "find_similar": {"memories": [{"memory_id": "m1"}]},
        "delegate_resolution": {**DELEGATED, "result": {"summary": "x" * 20_000}},
    }
    for step, output in steps.items():
        data[f"steps.{step}.output"] = output
        data |= {f"steps.{step}.output.{key}": value for key, value in output.items()}
    sent = compiled.steps["broadcast_incident"].parameters.render(data)
    assert sent["severity"] == broadcast
    assert "2 of 2 agents are healthy" in sent["message"]
    task = compiled.steps["delegate_resolution"].parameters.render(data)
    assert task["priority"] == priority
    assert task["details"]["similar_incidents"] == [{"memory_id": "m1"}]
    memory = compiled.steps["document"].parameters.render(data)
    assert memory["tags"] == ["db-1", severity]
    assert len(memory["content"]) < 16_384
    for step_id, rendered in (("broadcast_incident", sent), ("document", memory)):
        command = compiled.steps[step_id].step.command
        assert REGISTRY.check_parameters(command, rendered) == []
    assert REGISTRY.check_parameters("hv-delegate", task) == []
