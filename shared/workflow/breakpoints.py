"""Breakpoints: the execution pauses before a step, and goes on past it when it is resumed.

* A breakpoint is for a step, or for one instance of a loop (`build[3]`), that has not begun. It is
  used up when it is reached.
* It pauses like a person does: nothing new starts, what runs may finish. A step whose condition is
  false is not reached; a gate before the step is asked after the pause.
* An execution that is being cancelled does not pause any more, so there its steps run on.
"""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import ENGINE, BreakpointsRequested
from shared.workflow.program import Program
from shared.workflow.relaying import relay
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn

_MAY_PAUSE = (ExecutionStatus.RUNNING, ExecutionStatus.WAITING)


def breakpoints_requested(turn: Turn, request: BreakpointsRequested) -> None:
    """Set and clear breakpoints; what has begun has none."""
    state = turn.state
    if state.status is ExecutionStatus.CANCELLING:
        return
    wanted = {
        name for name in request.set_before if why_no_breakpoint(turn.program, state, name) is None
    }
    now = tuple(sorted({*state.breakpoints, *wanted} - {*request.clear}))
    if now != tuple(sorted(state.breakpoints)):
        turn.emit(ev.BreakpointsChanged(breakpoints=now, by=request.by, reason=request.reason))


def why_no_breakpoint(program: Program, state: ExecutionState, name: str) -> str | None:
    """Why the execution cannot pause before a step, or an instance; `None` when it can."""
    step = state.steps.get(name)
    if state.pause is not None and state.pause.step == name:
        return f"it is paused before {name} now"
    if step is not None:
        begun = step.status is not StepStatus.PENDING
        return f"step {name} is {step.status.value}: it has begun" if begun else None
    loop = state.steps.get(base(name))
    if loop is None or not _has_instances(program, name):
        return f"there is no step {name}"
    return f"loop {base(name)} is {loop.status.value}" if loop.ended else None


def _has_instances(program: Program, name: str) -> bool:
    step = program.step(name).step
    return step.foreach is not None or step.target.is_fleet


def pauses_before(turn: Turn, key: str) -> bool:
    """True when a breakpoint before the step pauses the execution now."""
    if key not in turn.state.breakpoints or turn.state.status not in _MAY_PAUSE:
        return False
    turn.emit(ev.ExecutionPaused(by=ENGINE, reason=f"breakpoint before {key}", step=key))
    relay(turn, "pause", ENGINE)
    return True
