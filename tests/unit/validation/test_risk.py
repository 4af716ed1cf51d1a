"""What the risk gate is told."""

from __future__ import annotations

from typing import Any

from shared.commands.registry import CommandRegistry
from shared.validation.finding import Finding, Report
from shared.validation.risk import facts_of, ways_back
from shared.validation.subject import Subject, subject_of_data


def subject(*steps: dict[str, Any]) -> Subject:
    return subject_of_data(
        {"id": "t", "name": "T", "steps": list(steps)}, CommandRegistry.builtin()
    )


def shell(name: str, script: str, **others: Any) -> dict[str, Any]:
    return {"id": name, "command": "shell", "parameters": {"script": script}, **others}


def test_steps_are_counted_by_what_undoes_them() -> None:
    """With a way back, accepted without, without a word; what only reads changes nothing."""
    write = {"operation": "write", "path": "/tmp/x", "content": "x"}
    undo = {"command": "shell", "parameters": {"script": "systemctl stop x"}}
    found = subject(
        {"id": "look", "command": "noop"},
        shell("read", "cat /etc/hosts"),
        {"id": "file", "command": "file", "parameters": write},
        shell("undone", "systemctl start x", rollback=undo),
        shell("mail", "sendmail x", irreversible="a letter is sent"),
        shell("bare", "systemctl restart x"),
    )
    assert dict(ways_back(found)) == {
        "file": "reversible",
        "undone": "reversible",
        "mail": "irreversible",
        "bare": "unprotected",
    }
    facts = facts_of(found, Report.of("standard", []), 0.5, 3.0)
    assert (facts.irreversible, facts.reversible, facts.unprotected) == (1, 2, 1)
    assert (facts.failure, facts.duration_s, facts.level) == (0.5, 3.0, "standard")


def test_what_is_suppressed_does_not_count() -> None:
    """A finding that is accepted with a reason is no risk."""
    one = Finding(code="no-agent", severity="error", level="strict", message="x", path="steps/0")
    accepted = one.model_copy(update={"suppressed": "it is started later"})
    facts = facts_of(subject(shell("a", "true")), Report.of("strict", [one, accepted]))
    assert facts.findings == ({"code": "no-agent", "severity": "error", "path": "steps/0"},)
