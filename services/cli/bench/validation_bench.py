"""`hv bench validation`: how long the static rules take over a template of 50 steps.

The steps are of every kind: requests, files, scripts, programs with a way back, branches, loops.
`first` is a definition that this process has never seen: every text in it is new, so that nothing
of it was compiled or parsed before. `again` is the same one once more, as when an editor asks at
each change. `schema` is what reading it into the model takes before any rule looks. Milliseconds
that passed, and (`cpu_`) that the processor worked: on a busy machine only those compare.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rich.console import Console

from shared.commands.registry import CommandRegistry
from shared.runtime.lifecycle import collect_seldom
from shared.validation.subject import subject_of_data
from shared.validation.validate import validate
from shared.workflow.definition import Template
from shared.workflow.validation_policy import Level

STEPS: Final = 50
ROUNDS: Final = 200
LEVELS: Final[tuple[Level, ...]] = ("basic", "standard", "strict")
Took = tuple[float, float]
_COMMANDS: Final = CommandRegistry.builtin()


def run(progress: Console, rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """p50 and p99 by level, with the cycle collector as services set it."""
    collect_seldom()
    figures: dict[str, dict[str, Any]] = {}
    for level in LEVELS:
        progress.print(f"{level}: {rounds} definitions of {STEPS} steps")
        figures[level] = _measured(level, rounds)
    return figures


def _measured(level: Level, rounds: int) -> dict[str, Any]:
    schema: list[Took] = []
    first: list[Took] = []
    again: list[Took] = []
    for number in range(rounds):
        data = definition(f"{level}{number}")
        schema.append(_took(partial(Template.model_validate, data)))
        first.append(_took(partial(_look, data, level)))
        again.append(_took(partial(_look, data, level)))
    return {"schema": _quantiles(schema), "first": _quantiles(first), "again": _quantiles(again)}


def _look(data: dict[str, Any], level: Level) -> None:
    report = validate(subject_of_data(data, _COMMANDS), level)
    if not report.passed:
        raise RuntimeError(f"the bench's own definition is refused: {report.findings[0]}")


def _took(work: Callable[[], object]) -> Took:
    """Time that passed, and time of the processor, in milliseconds."""
    begun, used = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - begun) * 1_000, (time.process_time() - used) * 1_000


def _quantiles(took: list[Took]) -> dict[str, float]:
    passed, used = (sorted(one) for one in zip(*took, strict=True))
    last = min(len(passed) - 1, len(passed) * 99 // 100)
    return {
        "p50": round(passed[len(passed) // 2], 2),
        "p99": round(passed[last], 2),
        "cpu_p50": round(used[len(used) // 2], 2),
        "cpu_p99": round(used[last], 2),
    }


def definition(mark: str, steps: int = STEPS) -> dict[str, Any]:
    """A definition of so many steps; `mark` is in every text, so that each is a new one."""
    return {
        "id": f"bench_{mark}",
        "name": f"Bench {mark}",
        "parameters": {
            f"host_{mark}": {"type": "string", "pattern": "^[a-z0-9.-]+$"},
            "limit": {"type": "integer", "default": 90},
        },
        "steps": [_step(index, mark) for index in range(steps)],
        "policies": {"timeout_s": 86_400},
    }


def _step(index: int, mark: str) -> dict[str, Any]:
    before = {"depends_on": [f"s{index - 1}"]} if index else {}
    kinds = (_request, _script, _file, _condition, _program)
    return {"id": f"s{index}", **before, **kinds[index % len(kinds)](index, mark)}


def _request(index: int, mark: str) -> dict[str, Any]:
    return {
        "command": "http",
        "parameters": {
            "url": f"https://${{{{ params.host_{mark} }}}}/health/{index}",
            "timeout_s": 5,
        },
        "retry": {"max_attempts": 3, "delay_s": 1},
        "success_criteria": [f"output.status == 200 && output.url != '{mark}{index}'"],
    }


def _script(index: int, mark: str) -> dict[str, Any]:
    lines = (
        f"echo checking {mark} {index}",
        "df -P / | tail -n 1 | tr -s ' ' | cut -d ' ' -f 5",
        'if [ -f "/run/$HOST.pid" ]; then',
        '  systemctl restart "app@$HOST"',
        "fi",
        'rm -rf "${CACHE:?}"/pages',
    )
    return {
        "command": "shell",
        "parameters": {
            "script": "\n".join(lines) + "\n",
            "env": {"HOST": f"${{{{ params.host_{mark} }}}}"},
        },
        "irreversible": "a restart cannot be undone",
    }


def _file(index: int, mark: str) -> dict[str, Any]:
    probe = index - 2
    return {
        "command": "file",
        "parameters": {
            "operation": "write",
            "path": f"{mark}/{index}.txt",
            "content": f"{mark} ${{{{ steps.s{probe}.output.status }}}}\n",
        },
    }


def _condition(index: int, mark: str) -> dict[str, Any]:
    return {
        "command": "noop",
        "parameters": {"echo": {mark: [f"${{{{ params.limit + {index} }}}}"]}},
        "when": f"params.limit > {index} && params.host_{mark} != 'x{index}'",
    }


def _program(index: int, mark: str) -> dict[str, Any]:
    return {
        "command": "shell",
        "parameters": {"argv": ["switch", f"{mark}-{index}"]},
        "capture": {"command": "shell", "parameters": {"argv": ["switch", "--show", mark]}},
        "rollback": {
            "command": "shell",
            "parameters": {"argv": ["switch", "${{ captured.stdout.trim() }}"]},
            "verify": {"condition": f"output.exit_code == 0 && captured.stdout != '{index}'"},
        },
    }
