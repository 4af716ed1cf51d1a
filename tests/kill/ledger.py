"""A workflow whose steps leave one line each in a ledger file, and what the ledger must say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from shared.workflow.definition import Template

STEPS = 5
IDEMPOTENT = frozenset({"s1", "s3"})
SCRIPT = 'printf "%s %s\\n" "$1" "$2" >> "$3"; sleep "$4"'


def template(ledger: Path, pause_s: float = 0.05) -> Template:
    """Five steps in a row: each appends `<execution> <step>` and then works for a moment.

    A lost step does not end the workflow, so that every step of every workflow has its turn.
    """
    steps = [
        {
            "id": f"s{number}",
            "command": "shell",
            "depends_on": [f"s{number - 1}"] if number else [],
            "idempotent": f"s{number}" in IDEMPOTENT,
            "continue_on_failure": True,
            "timeout_s": 30,
            "parameters": {
                "argv": [
                    "/bin/sh",
                    "-c",
                    SCRIPT,
                    "step",
                    "${{ execution.id }}",
                    f"s{number}",
                    str(ledger),
                    str(pause_s),
                ]
            },
        }
        for number in range(STEPS)
    ]
    return Template.model_validate({"id": "ledger", "name": "Ledger", "steps": steps})


def effects(ledger: Path) -> Counter[tuple[str, str]]:
    """How often each step of each execution left its line."""
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return Counter((line.split()[0], line.split()[1]) for line in lines)
