"""Runs as the record has them, made by tests."""

from __future__ import annotations

from typing import Any

from shared.learning.records import RunAttempt, RunRecord

DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000


def a_run(number: int, well: bool = True, template: str = "rollout", **given: Any) -> RunRecord:
    """A run of one step, `deploy`."""
    at_ms = given.pop("at_ms", NOW_MS)
    message = given.pop("message", "connection to 10.0.0.7:5432 refused")
    code = given.pop("code", "failed")
    command, agent = given.pop("command", "shell"), given.pop("agent", "agent-a")
    lasted_ms = given.pop("lasted_ms", 1_000)
    attempt = RunAttempt(
        step="deploy",
        command=command,
        agent=agent,
        started_at_ms=at_ms - lasted_ms,
        ended_at_ms=at_ms,
        outcome="completed" if well else "failed",
        code="" if well else code,
        message="" if well else message,
    )
    fields: dict[str, Any] = {
        "id": f"{template}-{number}",
        "at_ms": at_ms,
        "template_id": template,
        "template_version": "1.0.0",
        "category": "maintenance",
        "status": "completed" if well else "failed",
        "by": "ann",
        "created_at_ms": at_ms - lasted_ms,
        "started_at_ms": at_ms - lasted_ms,
        "attempts": (attempt,),
        "failed_step": "" if well else "deploy",
        "failure_code": "" if well else code,
        "failure_message": "" if well else message,
    }
    return RunRecord(**{**fields, **given})
