"""Whether a pending step may run: its join, branch, milestone, lock; and what a switch decides.

* A step that others send to runs when one of them did. Any other one runs unless everything that it
  waits for is dead.
* What waits for a step that failed for good does not run. (In the main steps nothing starts after
  that; this is for handlers.)
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.workflow import events as ev
from shared.workflow.binding import bind
from shared.workflow.errors import ExpressionError, present
from shared.workflow.expressions import Compiled
from shared.workflow.flow import Switch, count_needed
from shared.workflow.machines.step import StepStatus
from shared.workflow.scheduling import fail_unrendered
from shared.workflow.state import StepState
from shared.workflow.turn import Turn


@dataclass(frozen=True, slots=True)
class Skip:
    """It will never run, and why."""

    reason: str


def verdict(turn: Turn, step_id: str) -> Skip | bool:
    """True when a pending step is to run now, false while it is too early to say."""
    if not _begun(turn, step_id):
        return False
    before = [turn.step(name) for name in turn.program.graph.dependencies[step_id]]
    step = turn.compiled(step_id).step
    if step.join != "all":
        joined = _joined(before, count_needed(step.join))
        if joined is not True:
            return joined
    elif not all(one.ended for one in before):
        return False
    return _dead(turn, step_id, before) or _passed(turn, step_id) or True


def is_locked(turn: Turn, step_id: str) -> bool:
    """True while another step that shares its lock is under way."""
    lock = turn.compiled(step_id).step.lock
    if lock is None:
        return False
    others = (turn.step(name) for name in turn.program.graph.routes.locks[lock])
    return any(one.status is not StepStatus.PENDING and not one.ended for one in others)


def _begun(turn: Turn, step_id: str) -> bool:
    routes = turn.program.graph.routes
    if not routes.has_sections:
        return True
    if step_id in routes.on_failure:
        return turn.state.section != ""
    return step_id not in routes.always or turn.state.section == "finally"


def _joined(before: list[StepState], needed: int) -> Skip | bool:
    completed = sum(one.status is StepStatus.COMPLETED for one in before)
    if completed >= needed:
        return True
    if all(one.ended for one in before):
        return Skip(f"only {completed} of the {needed} steps that it needs have completed")
    return False


def _dead(turn: Turn, step_id: str, before: list[StepState]) -> Skip | None:
    senders = turn.program.graph.routes.senders.get(step_id)
    if senders is not None:
        if any(_sends(turn, sender, step_id) for sender in senders):
            return None
        return Skip("its branch was not taken")
    if before and all(one.dead for one in before):
        return Skip("no branch that leads to it was taken")
    if any(one.status is StepStatus.FAILED and not one.tolerated for one in before):
        return Skip("a step before it failed")
    return None


def _sends(turn: Turn, sender: str, target: str) -> bool:
    """True when the sender, which has ended, sends to the target."""
    state, step = turn.step(sender), turn.compiled(sender).step
    if state.taken is not None:
        return target in state.taken
    if target in step.on_failure and state.status is StepStatus.FAILED:
        return True
    began = state.scheduled_at_ms or state.started_at_ms or state.status is StepStatus.FAILED
    return target in step.always and bool(began)


def _passed(turn: Turn, step_id: str) -> Skip | None:
    milestone = turn.compiled(step_id).step.milestone
    if milestone is None:
        return None
    if turn.step(milestone.reached).status is not StepStatus.COMPLETED:
        return Skip(f"its milestone was not reached: {milestone.reached} did not complete")
    until = milestone.until
    if until is not None and turn.step(until).status is not StepStatus.PENDING:
        return Skip(f"its milestone has passed: {until} has begun")
    return None


def decide_switch(turn: Turn, step_id: str) -> None:
    """Evaluate the cases, and take the branches."""
    compiled = turn.compiled(step_id)
    switch = present(compiled.step.switch, "switch")
    try:
        held = _held(turn, compiled.cases, first=switch.match == "first")
    except ExpressionError as error:
        fail_unrendered(turn, step_id, error)
        return
    taken = _taken(switch, held)
    turn.emit(
        ev.StepRouted(step=step_id, output={"cases": held, "taken": list(taken)}, taken=taken)
    )


def _held(turn: Turn, cases: tuple[Compiled, ...], *, first: bool) -> list[int]:
    held: list[int] = []
    for index, case in enumerate(cases):
        if case.test(bind(case.needs, turn.state)):
            held.append(index)
            if first:
                break
    return held


def _taken(switch: Switch, held: list[int]) -> tuple[str, ...]:
    if not held:
        return switch.otherwise
    return tuple(dict.fromkeys(name for index in held for name in switch.cases[index].then))
