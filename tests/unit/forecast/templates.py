"""Random templates for forecasts, and what is said of their steps."""

from __future__ import annotations

import random
from typing import Any

from shared.commands.registry import CommandRegistry
from shared.commands.signatures import signatures
from shared.workflow.definition import Template
from shared.workflow.program import Program, compile_template

REGISTRY = CommandRegistry.builtin()
SIGNATURES = signatures(REGISTRY)


def compiled(steps: list[dict[str, Any]], **others: Any) -> Program:
    """The program of these steps."""
    made = {"id": "t", "name": "T", "steps": steps, **others}
    return compile_template(Template.model_validate(made), SIGNATURES)


def shell(name: str, *depends_on: str, **others: Any) -> dict[str, Any]:
    """A step that runs a script."""
    return {
        "id": name,
        "command": "shell",
        "parameters": {"script": "systemctl restart x"},
        "depends_on": list(depends_on),
        **others,
    }


def random_program(seed: int, *, branching: bool) -> Program:
    """Up to ten steps in which the order of ends does not count; `branching`: with conditions,
    switches, tolerated failures and sections at the end."""
    rng = random.Random(seed)
    names: list[str] = []
    steps: list[dict[str, Any]] = []
    for index in range(rng.randint(1, 10)):
        name = f"s{index}"
        steps.append(_step(rng, name, names, branching=branching))
        names.append(name)
    others: dict[str, Any] = {}
    if branching and rng.random() < 0.4:
        others["finally"] = [shell("last"), shell("very_last", "last")][: rng.randint(1, 2)]
    if branching and rng.random() < 0.3:
        others["on_failure"] = [shell("mend")]
    if rng.random() < 0.3:
        others["policies"] = {"approval_required": True}
    return compiled(steps, **others)


def _step(rng: random.Random, name: str, names: list[str], *, branching: bool) -> dict[str, Any]:
    depends_on = rng.sample(names, k=min(len(names), rng.choice((0, 1, 1, 2))))
    step = shell(
        name,
        *depends_on,
        timeout_s=rng.choice((5, 30, 300)),
        start_timeout_s=rng.choice((1, 3, 60)),
        retry={"max_attempts": rng.choice((1, 1, 2, 4)), "delay_s": rng.choice((0, 0.5, 2))},
        on_lost=rng.choice((None, "fail", "rerun", "ask")),
    )
    if rng.random() < 0.1:
        del step["command"]
        step |= {"workflow": {"template": "child", "version": "1.0.0"}, "parameters": {}}
        step["on_lost"] = None
    if branching and rng.random() < 0.3:
        step["continue_on_failure"] = True
    if branching and depends_on and rng.random() < 0.4:
        before = depends_on[0]
        step["when"] = rng.choice(
            (
                f"steps.{before}.status == 'completed'",
                f"steps.{before}.output.exit_code == 0",
                "execution.template == 't'",
            )
            if step["id"] and "workflow" not in step
            else ("execution.template == 't'",)
        )
    return step
