"""What the execution that carried a plan out has undone, item by item."""

from __future__ import annotations

from shared.rollback.items import Item, Plan
from shared.workflow.binding import base
from shared.workflow.machines.step import StepStatus
from shared.workflow.state import ExecutionState, StepState

_LONGEST = 500


def account(plan: Plan, run: ExecutionState | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of the items that are undone and verified, and a line about each other one."""
    done: list[str] = []
    left: list[str] = []
    for item in plan.items:
        why = why_not_done(item, run)
        if why is None:
            done.append(item.key)
        else:
            where = f" on {item.agent}" if item.agent else ""
            left.append(f"{item.key}{where}: {why}"[:_LONGEST])
    return tuple(done), tuple(left)


def why_not_done(item: Item, run: ExecutionState | None) -> str | None:
    """Why an item is not undone; `None` when it is."""
    if run is None:
        return "its rollback could not begin"
    why = _why_not_completed(item.place, run, "what undoes it")
    if why is None and item.check_place:
        why = _why_not_completed(item.check_place, run, "its check")
    return why


def _why_not_completed(place: str, run: ExecutionState, what: str) -> str | None:
    step = run.steps.get(place) or run.steps.get(base(place))
    if step is None:
        return f"{what} is not known"
    if place in run.steps and step.status is StepStatus.COMPLETED:
        return None
    return f"{what} {_words(step)}"


def _words(step: StepState) -> str:
    if step.failure is not None:
        return f"failed: {step.failure.message}"
    if step.status is StepStatus.SKIPPED:
        return f"was left out: {step.reason}"
    return f"was {step.status.value}" + (f": {step.reason}" if step.reason else "")
