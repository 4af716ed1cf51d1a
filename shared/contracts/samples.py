"""Golden samples: one realistic JSON text for each contract and each of its alternatives.

They are made from the schemas, so that a new contract or field has a sample at once, and are the
same in every run. A field's value is looked up by `Model.field`, then by `field`, then made from
its type; every field is filled, the optional ones too. What comes out is parsed by its model before
it is given: a sample that its model refuses raises `SampleError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.contracts.catalog import Contract, contracts

Json = dict[str, Any]

_AT_MS: Final = 1_790_000_000_000
_EXECUTION: Final = "ex_01k9zq4x7m2v8w6r5t3s1p0n9j"
_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

VALUES: Final[Mapping[str, Any]] = {
    "agent": "agent-1",
    "answer": {"disk": "42 % used"},
    "attempt": 1,
    "bundle": "motd",
    "bundles": {"motd": 3},
    "by": {"kind": "user", "id": "alice"},
    "capabilities": ["docker", "postgres"],
    "category": "incident",
    "cause": "delegation dl_1 was completed",
    "code": "exit_code",
    "command": "shell",
    "comment": "Checked with the on-call.",
    "condition": "parameters.severity == 'critical'",
    "counts": {"agent-1": 2},
    "data": {"step": "collect", "attempt": 1},
    "depends_on": ["collect"],
    "description": "Says how full the disk is.",
    "details": {"ticket": "INC-17"},
    "disk_percent": 42.0,
    "examples": ["web-1"],
    "escalate_after_s": 1_800.0,
    "execution_id": _EXECUTION,
    "expires_after_s": 7_200.0,
    "facts": {"disk": {"percent": 42}},
    "failed_steps": ["notify"],
    "failure": {"code": "exit_code", "message": "The command ended with 1.", "retryable": True},
    "form": {"window_min": {"type": "integer", "default": 30}},
    "gate": "deploy",
    "groups": ["ops"],
    "host": "web-1",
    "id": "id-1",
    "kind": "runner",
    "keywords": ["outage", "alert"],
    "labels": {"role": "web", "zone": "a"},
    "leg": 0,
    "message": "Disk of web-1 is almost full.",
    "mode": "0644",
    "name": "agent-1",
    "outcome": "failed",
    "outputs": {"report": "all is well"},
    "output": {"exit_code": 0, "stdout": "ok\n"},
    "parameters": {"argv": ["df", "-h"]},
    "participant": "alice",
    "partition": 5,
    "path": "etc/motd",
    "payload": '{"type":"attempt_started"}',
    "prerequisites": ["An agent on the host."],
    "proof": {"gone": True, "pids": [4711], "reason": ""},
    "reason": "asked to",
    "required_capabilities": ["docker"],
    "requested_by": {"kind": "user", "id": "alice"},
    "result": {"done": True},
    "retryable": True,
    "running": 1,
    "sensitive": ["token"],
    "seq": 1_234,
    "severity": "warning",
    "sha256": _DIGEST,
    "source": "/hive/executions",
    "step": "collect",
    "stream": "stdout",
    "subject": _EXECUTION,
    "subject_hash": _DIGEST,
    "tags": ["disk", "web"],
    "template_id": "incident_response",
    "template_version": "1.2.0",
    "templateid": "incident_response",
    "templateversion": "1.2.0",
    "templatecategory": "incident",
    "text": "Filesystem      Size  Used Avail Use% Mounted on",
    "timeout_s": 30.0,
    "time": "2026-09-21T14:13:20Z",
    "timer": "retry.collect",
    "token": "dl_1/0",
    "type": "execution.completed",
    "verdict": "completed",
    "version": 7,
    "when": "parameters.host != ''",
    "ApprovalDelegated.to": "bob",
    "ApprovalGranted.bound": _DIGEST,
    "ApprovalVoted.bound": _DIGEST,
    "GateState.delegated": {"alice": "bob"},
    "Actor.kind": "user",
    "Actor.id": "alice",
    "ClaimAnswer.verdict": "running",
    "Delegation.requested_by": "alice",
    "ExecutionCreated.steps": ["collect", "notify"],
    "ExecutionCreated.parameters": {"host": "web-1"},
    "ExecutionRequested.parameters": {"host": "web-1"},
    "ExecutionState.parameters": {"host": "web-1"},
    "Content.blob": f"d20719.{_DIGEST}",
    "Content.inline": "aGl2ZQ==",
    "FileItem.was": "file",
    "OwnPath.raw": "L2V0Yy9tb3Rk",
    "OwnPath.text": "/etc/motd",
    "Participant.kind": "human",
    "Participant.name": "alice",
    "SyncFile.bytes": 120,
    "Template.id": "disk_report",
    "Template.name": "Disk report",
    "Template.version": "1.2.0",
    "Template.parameters": {
        "host": {"type": "string", "description": "Which host.", "examples": ["web-1"]}
    },
    "Template.outputs": {"report": "${{ steps.collect.output.stdout }}"},
    "Template.steps": [
        {
            "id": "collect",
            "name": "Collect",
            "command": "shell",
            "parameters": {"argv": ["df", "-h"]},
            "target": {"labels": {"role": "web"}},
            "timeout_s": 30,
            "retry": {"max_attempts": 3},
            "idempotent": True,
            "success_criteria": ["output.exit_code == 0"],
            "checkpoint": "before_report",
        },
        {
            "id": "notify",
            "command": "hv-broadcast",
            "parameters": {"message": "${{ steps.collect.output.stdout }}"},
            "depends_on": ["collect"],
            "when": "parameters.host != ''",
            "continue_on_failure": True,
        },
    ],
    "Template.on_failure": [{"id": "page", "command": "noop"}],
    "Template.finally": [{"id": "clean", "command": "noop"}],
    "RollbackPolicy.strategy": "checkpoint",
    "RollbackPolicy.to_checkpoint": "before_report",
    "GateRule.then": "approve",
    "Suppression.code": "destructive-command",
    "Trigger.kind": "manual",
    "Cause.kind": "scheduled",
    "Cause.source": "sc_01k9zq4x7m2v8w6r5t3s1p0n9j",
    "Cause.evidence": {"schedule": "nightly disk check", "edition": 1},
    "Cause.chain": ["tr_01k9zq4x7m2v8w6r5t3s1p0n9j"],
    "Timetable": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "ScheduleSpec.timetable": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "ScheduleState.id": "sc_01k9zq4x7m2v8w6r5t3s1p0n9j",
    "Receiver.kind": "webhook",
    "Receiver.name": "deploys",
    "RuleSpec.parameters": {"limit": "${{ event.data.limit }}"},
    "RuleSpec.receiver": "rc_01k9zq4x7m2v8w6r5t3s1p0n9j",
    "RuleSpec.events": ["alert.firing"],
    "RuleSpec.when": "event.data.labels.severity == 'critical'",
    "RuleState.counts": {"received": 10_000, "started": 3},
    "Deduplicate.key": "event.key",
    "Debounce.key": "event.type",
    "Event.type": "alert.firing",
    "Event.cause": "monitoring_alert",
    "ScheduleState.counts": {"started": 41, "missed": 1},
    "StepPlan.child": {"of": "ex_01hf7yat008wzfmrte4yr383g6"},
    "KeptInstance.plan": {"step": "collect[3]"},
    "RecordedCommand.command": "kubectl get pods -n web",
    "RecordedCommand.source": "shell",
    "RunRecord.status": "failed",
    "RunRecord.cause": "user",
    "RunRecord.by": "alice",
    "Feedback.kind": "workflow",
    "Feedback.verdict": "accepted",
    "Forget.by": "alice",
    "Forget.command": "mysql -u root shop",
    "RunRecord.parameters": {"host": "web-1", "severity": "high"},
}


class SampleError(Exception):
    """No sample can be made; the message names contract, field and remedy."""


def samples() -> Iterator[tuple[str, str]]:
    """Each sample's name (`task`, `event/step.failed`) and its JSON text."""
    for contract in contracts().values():
        schema = contract.schema()
        variants = contract.variants()
        if not variants:
            yield contract.name, _text(contract, schema, schema)
        for tag, definition in variants.items():
            yield f"{contract.name}/{tag}", _text(contract, schema, schema["$defs"][definition])


def _text(contract: Contract, schema: Json, form: Json) -> str:
    value = _make(form, schema.get("$defs", {}), f"{form.get('title', contract.name)}")
    try:
        parsed = contract.adapter.validate_python(value, strict=False)
    except ValidationError as error:
        raise SampleError(
            f"the sample of {contract.name} is refused by its model; add the field to VALUES in "
            f"shared/contracts/samples.py: {error}"
        ) from error
    plain = contract.adapter.dump_python(parsed, mode="json", by_alias=True, exclude_unset=True)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _make(form: Json, definitions: Json, where: str) -> Any:
    """A value of this form. `where` is `Model.field`."""
    if "const" in form:
        return form["const"]
    known = _known(where)
    if known is not None and _fits(form, definitions, known):
        return known
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        return _make(definitions[name], definitions, name)
    if "enum" in form:
        return form["enum"][0]
    choices: list[Json] = form.get("oneOf") or form.get("anyOf") or []
    if choices:
        chosen = next(one for one in choices if one.get("type") != "null")
        return _make(chosen, definitions, where)
    if form.get("type") == "object" or "properties" in form:
        return _object(form, definitions, where)
    if form.get("type") == "array":
        item = form.get("items")
        return [_make(item, definitions, where)] if item else []
    return _scalar(form, where)


def _known(where: str) -> Any:
    return VALUES.get(where, VALUES.get(where.rpartition(".")[2]) if "." in where else None)


def _fits(form: Json, definitions: Json, value: Any) -> bool:
    """Whether a value looked up by name is of the form."""
    return bool(Draft202012Validator({**form, "$defs": definitions}).is_valid(value))


def _object(form: Json, definitions: Json, where: str) -> Json:
    model = form.get("title") if "properties" in form else None
    made = {
        field: _make(inner, definitions, f"{model or where}.{field}")
        for field, inner in form.get("properties", {}).items()
    }
    others = form.get("additionalProperties")
    if not made and isinstance(others, dict) and others:
        key = "collect" if "$ref" in others else "key"
        return {key: _make(others, definitions, where.rpartition(".")[0] or where)}
    return made


def _scalar(form: Json, where: str) -> Any:
    field = where.rpartition(".")[2]
    least = float(form.get("minimum") or form.get("exclusiveMinimum") or 0)
    kinds: dict[str | None, Any] = {
        "integer": _AT_MS if field.endswith("_ms") else max(1, int(least)),
        "number": 0.5 if form.get("maximum") == 1 else max(1.5, least),
        "boolean": True,
        "string": "text",
        "null": None,
        None: {"any": "value"},
    }
    return kinds[form.get("type")]
