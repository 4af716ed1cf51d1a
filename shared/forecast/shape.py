"""Whether the order in which steps end can change what runs.

Where it cannot, the start of a step is the end of the last one that it waits for, and the times of
all runs are found at once. Where it can, only the core can tell, run by run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.workflow.definition import Step
from shared.workflow.expressions import Compiled
from shared.workflow.program import Program

_ATTEMPTS = ".attempts"


@dataclass(frozen=True, slots=True)
class Shape:
    """`ordered`: why the order counts, empty where it does not. `branching`: which steps run
    depends on more than whether one before them failed, so that a run that fails must be played."""

    ordered: tuple[str, ...]
    branching: bool


def shape_of(program: Program) -> Shape:
    """The shape of a program."""
    policies = program.template.policies
    reasons = list(_reasons(program))
    if policies.timeout_s is not None:
        reasons.append("the execution has a timeout")
    if policies.concurrency is not None:
        reasons.append("the execution waits for a slot")
    return Shape(tuple(dict.fromkeys(reasons)), _is_branching(program))


def _reasons(program: Program) -> Iterator[str]:
    for name, compiled in program.steps.items():
        for what, found in _order_counts(compiled.step):
            if found:
                yield f"{name} {what}"
        if _counts_attempts((compiled.when, *compiled.cases)):
            yield f"{name} looks at how many attempts others took"


def _order_counts(step: Step) -> tuple[tuple[str, bool], ...]:
    return (
        ("joins the first of several", step.join != "all"),
        ("shares a lock", step.lock is not None),
        ("has a milestone", step.milestone is not None),
        ("cancels a region", bool(step.cancels)),
        ("repeats until a condition holds", step.until is not None),
        ("is a loop", step.foreach is not None),
        ("is a fleet", step.target.is_fleet),
        ("waits for the first of several things", step.wait_for is not None),
        ("asks people", step.approval is not None),
        ("waits for a slot", step.concurrency is not None),
    )


def _counts_attempts(conditions: tuple[Compiled | None, ...]) -> bool:
    needs = (name for one in conditions if one is not None for name in one.needs)
    return any(name.startswith("steps.") and name.endswith(_ATTEMPTS) for name in needs)


def _is_branching(program: Program) -> bool:
    routes = program.graph.routes
    conditions = any(one.when is not None or one.cases for one in program.steps.values())
    tolerant = any(one.step.continue_on_failure for one in program.steps.values())
    return bool(conditions or tolerant or routes.senders or routes.has_sections)
