"""Examples of request bodies, by the operation that takes them. A test sends each of them."""

from __future__ import annotations

from typing import Any, Final

TEMPLATE: Final[dict[str, Any]] = {
    "id": "disk_check",
    "name": "Disk check",
    "version": "1.0.0",
    "parameters": {"limit": {"type": "integer", "default": 90, "minimum": 1, "maximum": 100}},
    "steps": [
        {
            "id": "measure",
            "command": "shell",
            "parameters": {"argv": ["df", "-P", "/"]},
            "idempotent": True,
            "retry": {"max_attempts": 3, "delay_s": 1},
        }
    ],
}

TEMPLATE_FILE: Final = """\
id: disk_check
name: Disk check
version: 1.0.1
parameters:
  limit: {type: integer, default: 90}
steps:
  - id: measure
    command: shell
    parameters: {argv: [df, -P, /]}
    idempotent: true
"""

SCHEDULE: Final[dict[str, Any]] = {
    "name": "nightly disk check",
    "template_id": "disk_check",
    "parameters": {"limit": 80},
    "timetable": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
    "missed": "run_once",
    "jitter_s": 300,
}

RULE: Final[dict[str, Any]] = {
    "name": "disk checks for failed runs",
    "template_id": "disk_check",
    "receiver": "executions",
    "events": ["execution.failed"],
    "when": "event.data.template_id == 'backup'",
    "parameters": {"limit": 80},
    "deduplicate": {"key": "event.data.template_id", "window_s": 3600},
    "throttle": {"most": 5, "per_s": 3600},
}

EVENT: Final[dict[str, Any]] = {
    "type": "execution.failed",
    "key": "ex_1.7",
    "data": {"template_id": "backup"},
}

BODIES: Final[dict[str, Any]] = {
    "create_template": TEMPLATE,
    "import_template": TEMPLATE_FILE,
    "validate_workflow": {"text": TEMPLATE_FILE, "parameters": {"limit": 80}, "level": "standard"},
    "suggest_workflows": {
        "context": "CRITICAL: disk usage of web-1 is above 95 percent since 14:05",
        "recent_commands": ["ssh web-1", "df -h"],
        "host": "web-1",
        "limit": 3,
    },
    "autocomplete_sequence": {"partial_sequence": ["ssh web-1", "df -h"], "limit": 3},
    "give_feedback": {
        "suggestion_id": "sgt_01k9zq4x7m2v8w6r5t3s1p0n9j",
        "verdict": "accepted",
        "suggested": "disk_check",
        "text": "CRITICAL: disk usage of web-1 is above 95 percent since 14:05",
    },
    "execute_workflow": {
        "template_id": "disk_check",
        "parameters": {"limit": 80},
        "labels": {"team": "web"},
        "trigger": {"kind": "context_detected", "evidence": {"free_percent": 4}},
    },
    "cancel_execution": {"reason": "started by mistake"},
    "bulk_executions": {
        "action": "cancel",
        "filter": {"template": "disk_check", "status": ["running", "waiting"]},
        "dry_run": False,
        "reason": "the disks are replaced tonight",
    },
    "set_breakpoints": {"set_before": ["measure"], "reason": "look at the disk first"},
    "mark_step": {"verdict": "completed", "output": {"exit_code": 0}, "reason": "done by hand"},
    "run_step_now": {"reason": "the host is back"},
    "rerun_execution": {
        "from_step": "measure",
        "parameters": {"limit": 95},
        "reason": "the limit was too low",
    },
    "rollback_execution": {
        "strategy": "checkpoint",
        "to": "measure",
        "reason": "the new limit is wrong",
    },
    "preview_rollback_ahead": {"parameters": {"limit": 80}},
    "tick_rollback_item": {"verdict": "done", "comment": "the old file is back"},
    "cancel_rollback": {"reason": "the database team does it"},
    "rebuild_models": {"model": "next-command"},
    "backfill_record": {},
    "resume_execution": {"reason": "looked at it"},
    "send_signal": {"data": {"healthy": True}, "id": "deploy-42"},
    "add_instances": {"items": ["web-3"], "after": 2},
    "cancel_region": {"reason": "no longer needed"},
    "approve_execution": {
        "gate": "deploy",
        "subject_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "comment": "the change window is open",
        "input": {"window_min": 20},
    },
    "delegate_approval": {"to": "dave", "gate": "deploy", "comment": "on holiday until Monday"},
    "reject_execution": {"comment": "not during business hours"},
    "pause_execution": {"reason": "waiting for the database team"},
    "resolve_lost_step": {"verdict": "failed", "reason": "the host was replaced"},
    "register_participant": {
        "name": "bee-1",
        "kind": "ai",
        "capabilities": ["analysis"],
        "labels": {"team": "web"},
        "description": "reads logs",
    },
    "complete_delegation": {"result": {"cause": "a full disk"}},
    "decline_delegation": {"reason": "no access to that host"},
    "remember_memory": {
        "content": "The failover of the orders database takes a minute.",
        "category": "operations",
        "tags": ["postgres", "failover"],
        "importance": 0.8,
    },
    "send_broadcast": {
        "message": "Maintenance begins at noon",
        "category": "maintenance",
        "severity": "warning",
        "deadline_s": 0.5,
    },
    "record_commands": {
        "commands": [
            {
                "id": "tty1-4711",
                "command": "kubectl rollout restart deploy/web -n shop",
                "at_ms": 1790000000000,
                "session": "tty1",
                "cwd": "/srv/shop",
                "host": "ops-1",
                "exit": 0,
                "duration_ms": 840,
                "source": "shell",
            }
        ]
    },
    "forget_commands": {"command": "kubectl rollout restart deploy/web -n shop"},
    "set_recording": {"on": True},
    "create_webhook": {
        "url": "https://hooks.example.com/hive",
        "description": "chat of the operations team",
        "filter": {"events": ["execution.*", "*.failed"], "templates": ["incident_response"]},
    },
    "update_webhook": {"filter": {"events": ["execution.failed"]}},
    "rotate_webhook_secret": {"overlap_s": 3600},
    "match_failure": {"message": "connection to 10.0.0.7:5432 refused", "code": "failed"},
    "accept_found_workflow": {"id": "restore_config"},
    "reject_found_workflow": {"reason": "we do this by the package manager now"},
    "revert_proposal": {"reason": "the night shift needs the longer timeout"},
    "dismiss_proposal": {"reason": "the provider asks for no more than three tries"},
    "discard_quarantined": {"reason": "of a template that was removed"},
    "release_slot": {"execution_id": "ex_01j8", "reason": "its state is damaged"},
    "create_schedule": SCHEDULE,
    "update_schedule": {**SCHEDULE, "overlap": "queue"},
    "preview_schedule": {"timetable": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}},
    "pause_schedule": {"reason": "the disks are being replaced"},
    "create_receiver": {"name": "alerts of the cluster", "kind": "alertmanager"},
    "rotate_receiver_secret": {"overlap_s": 3600},
    "receive_events": {"type": "deploy.done", "service": "web"},
    "create_rule": RULE,
    "update_rule": {**RULE, "throttle": {"most": 3, "per_s": 600}},
    "pause_rule": {"reason": "maintenance of the cluster"},
    "try_rule_definition": {"definition": RULE, "event": EVENT},
    "try_rule": {"event": EVENT},
    "issue_key": {"name": "ci", "role": "operator", "groups": ["ops"]},
}
