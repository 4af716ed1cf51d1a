"""Items of the record to test with."""

from __future__ import annotations

from typing import Any

from shared.learning.records import Feedback, Forget, RecordedCommand, RollbackRecord, RunRecord


def command(item_id: str, line: str = "ls", user: str = "ada", **more: Any) -> RecordedCommand:
    return RecordedCommand.model_validate(
        {"id": item_id, "at_ms": 1_000, "user": user, "command": line, **more}
    )


def run(item_id: str, **more: Any) -> RunRecord:
    given = {
        "id": item_id,
        "at_ms": 2_000,
        "template_id": "disk_report",
        "template_version": "1.0.0",
        "status": "completed",
        "created_at_ms": 1_000,
        "parameters": {"host": "web-1", "a.b": 1, "$x": True, "ratio": 0.5},
    }
    return RunRecord.model_validate(given | more)


def feedback(item_id: str, suggested: str, chosen: str = "", user: str = "ada") -> Feedback:
    return Feedback(
        id=item_id,
        at_ms=3_000,
        user=user,
        suggestion_id="sg_1",
        verdict="edited" if chosen else "accepted",
        kind="command",
        suggested=suggested,
        chosen=chosen,
    )


def forget(item_id: str, **what: str) -> Forget:
    return Forget.model_validate({"id": item_id, "at_ms": 4_000, "by": "ada", **what})


def rollback(item_id: str) -> RollbackRecord:
    return RollbackRecord(
        id=item_id,
        at_ms=5_000,
        execution_id="ex_1",
        number=1,
        template_id="disk_report",
        template_version="1.0.0",
        status="rolled_back",
    )
