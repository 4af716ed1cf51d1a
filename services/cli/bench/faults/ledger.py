"""A workflow whose steps leave one line each in a ledger file: what happened, told by nobody else.

A lost step does not end the workflow, so that every step of every workflow has its turn.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from shared.workflow.definition import Template

TEMPLATE: Final = "fault-ledger"
PROBE: Final = "fault-probe"
STEPS: Final = 5
IDEMPOTENT: Final = frozenset({"s1", "s3"})
PAUSE_S: Final = 0.4
"""Long enough that some steps are always running: a runner that dies is in the middle of them."""
_SCRIPT: Final = 'printf "%s %s\\n" "$1" "$2" >> "$3"; sleep "$4"'


def ledger_template(book: Path) -> Template:
    """Five steps in a row: each appends `<execution> <step>` and then works for a moment."""
    steps = [_step(number, book) for number in range(STEPS)]
    return Template.model_validate({"id": TEMPLATE, "name": "Ledger", "steps": steps})


def probe_template() -> Template:
    """The least that needs everything: a gateway, a coordinator, a runner, both databases."""
    steps = [{"id": "answer", "command": "noop"}]
    return Template.model_validate({"id": PROBE, "name": "Probe", "steps": steps})


def effects(book: Path) -> Counter[tuple[str, str]]:
    """How often each step of each execution left its line."""
    if not book.exists():
        return Counter()
    lines = book.read_text(encoding="utf-8").splitlines()
    return Counter((line.split()[0], line.split()[1]) for line in lines)


def _step(number: int, book: Path) -> dict[str, Any]:
    name = f"s{number}"
    words = ["${{ execution.id }}", name, str(book), str(PAUSE_S)]
    return {
        "id": name,
        "command": "shell",
        "depends_on": [f"s{number - 1}"] if number else [],
        "idempotent": name in IDEMPOTENT,
        "continue_on_failure": True,
        "timeout_s": 60,
        "parameters": {"argv": ["/bin/sh", "-c", _SCRIPT, "step", *words]},
    }
