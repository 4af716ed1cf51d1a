"""Checkpoints: the points to which an execution can be taken back, and what lies behind one.

* There is a point before every step that changes something and has begun, one before every so many
  steps where the policy says so, and one wherever a step names it (`checkpoint`).
* A point is a moment: that at which its step first began. What had completed by then is
  kept; all else is behind it, and is undone, whichever branch it is in. A call, a loop and a fleet
  are undone as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.rollback.past import Ran
from shared.workflow.binding import base
from shared.workflow.errors import WorkflowError
from shared.workflow.state import StepState


class PlanError(WorkflowError):
    """There is no plan for what was asked for, and why."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point before `step`, `at_ms`; `name` where the author gave it one. `why` tells what makes
    it one."""

    step: str
    at_ms: int
    name: str = ""
    why: str = ""


def points(ran: Ran, changes: Callable[[str], bool]) -> list[Point]:
    """The points of an execution, oldest first. `changes` tells whether a step, by its id, changes
    something."""
    every = ran.program.template.policies.rollback.checkpoint_every
    begun = sorted(
        (began_ms(one), ran.program.graph.order.index(name), name)
        for name, one in ran.state.steps.items()
        if base(name) == name and began_ms(one)
    )
    found = []
    for number, (at_ms, _, name) in enumerate(begun):
        step = ran.program.step(name).step
        why = ""
        if step.checkpoint:
            why = f"the template names it {step.checkpoint}"
        elif changes(name):
            why = "its step changes something"
        elif every and number % every == 0:
            why = f"there is one every {every} steps"
        if why:
            found.append(Point(name, at_ms, step.checkpoint or "", why))
    return found


def point_of(found: list[Point], to: str) -> Point:
    """The point that `to` names, by its name or its step; the newest named one, or the newest, when
    it is empty. Raises `PlanError`."""
    if not to:
        named = [one for one in found if one.name]
        if not found:
            raise PlanError("there is no checkpoint: nothing that changes something has begun")
        return (named or found)[-1]
    point = next((one for one in found if to in (one.name, one.step)), None)
    if point is None:
        known = ", ".join(one.name or one.step for one in found[:20]) or "none"
        raise PlanError(f"there is no checkpoint {to!r} that was reached; there are: {known}")
    return point


def behind(ran: Ran, point: Point) -> frozenset[str]:
    """The steps of the topmost execution that had not completed at a point."""
    names = (name for name in ran.state.steps if base(name) == name)
    return frozenset(name for name in names if not _was_over(ran, name, point))


def _was_over(ran: Ran, name: str, point: Point) -> bool:
    """What came before by the graph was, and what came after was not, whatever clocks say; of the
    rest the time tells."""
    ancestors, step = ran.program.graph.ancestors, ran.state.steps[name]
    if name == point.step or point.step in ancestors[name] or not step.ended_at_ms:
        return False
    return name in ancestors[point.step] or step.ended_at_ms <= point.at_ms


def began_ms(step: StepState) -> int:
    """When the first of it began, 0 for what never did. Of what was kept nothing began here."""
    if step.kept_from:
        return 0
    return step.begun_at_ms or step.started_at_ms
