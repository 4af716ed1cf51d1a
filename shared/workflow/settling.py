"""How every turn is closed: what became ready starts, what is over ends.

* A step is ready when its join is met: every step before it has ended, whichever way, or so many
  have completed. (A failure that is not tolerated stops all but handlers.)
* A ready step whose `when` is false is skipped; that may make others ready.
* What cannot be rendered fails the step with `expression_error`; it is never started half-rendered.
* Where only something outside can move the execution, it says `waiting`.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.workflow import events as ev
from shared.workflow.binding import base, bind
from shared.workflow.breakpoints import pauses_before
from shared.workflow.choosing import await_first
from shared.workflow.ending import end_if_over
from shared.workflow.errors import ExpressionError
from shared.workflow.gates import holds, is_asking, open_gates, tend, void_unwanted
from shared.workflow.instances import expand, instance_ended
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import ENGINE
from shared.workflow.regions import cancel_region
from shared.workflow.routing import Skip, decide_switch, is_locked, verdict
from shared.workflow.scheduling import fail_unrendered, may_start, schedule_attempt
from shared.workflow.slots import is_waiting, release
from shared.workflow.turn import Turn
from shared.workflow.waves import ask_for_targets


def settle(turn: Turn) -> None:
    """Close a turn: see the module's law."""
    tend(turn)
    while True:
        advance(turn)
        begun = end_if_over(turn)
        start_ready(turn, begun)
        if turn.state.ended or not (turn.ended_steps or begun):
            break
    if not turn.state.ended:
        void_unwanted(turn)  # a region may have been cancelled after its gates were asked at
        _say_whether_waiting(turn)


def advance(turn: Turn) -> None:
    """Start or skip what became ready through the steps that ended in this turn."""
    while turn.ended_steps:
        ended = turn.ended_steps.pop(0)
        if turn.state.slots:
            release(turn, ended)
        if base(ended) != ended:
            instance_ended(turn, ended)
            continue
        if turn.step(ended).status is StepStatus.COMPLETED:
            for region in turn.compiled(ended).step.cancels:
                cancel_region(turn, region, ENGINE, f"step {ended} completed")
        start_ready(turn, turn.program.graph.dependents[ended])
        lock = turn.compiled(ended).step.lock
        if lock is not None:
            start_ready(turn, turn.program.graph.routes.locks[lock])


def start_ready(turn: Turn, steps: Iterable[str]) -> None:
    """Start or skip those of `steps` that are pending and ready, if they may start now."""
    for step_id in steps:
        if turn.step(step_id).status is StepStatus.PENDING and may_start(turn, step_id):
            found = verdict(turn, step_id)
            if found is True and is_locked(turn, step_id):
                continue
            if isinstance(found, Skip):
                turn.emit(ev.StepSkipped(step=step_id, reason=found.reason, dead=True))
            elif found:
                _start_or_skip(turn, step_id)


def _start_or_skip(turn: Turn, step_id: str) -> None:
    compiled = turn.compiled(step_id)
    condition = compiled.when
    try:
        wanted = condition is None or condition.test(bind(condition.needs, turn.state))
    except ExpressionError as error:
        fail_unrendered(turn, step_id, error)
        return
    if wanted:
        if not pauses_before(turn, step_id):
            _begin_unless_held(turn, step_id)
        return
    taken = compiled.step.otherwise
    turn.emit(
        ev.StepSkipped(
            step=step_id,
            reason="its condition is false",
            dead=bool(taken),
            taken=taken or None,
        )
    )


def _begin_unless_held(turn: Turn, step_id: str) -> None:
    """A gate before a step is before all of it: a loop is asked about once, not by instance, and a
    fleet when its targets are known."""
    try:
        if turn.compiled(step_id).selector is not None:
            ask_for_targets(turn, step_id)
            return
        held = holds(turn, step_id)
    except ExpressionError as error:
        fail_unrendered(turn, step_id, error)
        return
    if not held:
        _begin(turn, step_id)


def _begin(turn: Turn, step_id: str) -> None:
    step = turn.compiled(step_id).step
    if step.foreach is not None:
        expand(turn, step_id)
    elif step.switch is not None:
        decide_switch(turn, step_id)
    elif step.wait_for is not None:
        await_first(turn, step_id)
    else:
        schedule_attempt(turn, step_id, attempt=1)


def _say_whether_waiting(turn: Turn) -> None:
    state = turn.state
    only_outside = state.busy == 0 and (state.outside > 0 or is_asking(state) or is_waiting(state))
    if state.status is ExecutionStatus.RUNNING and only_outside:
        turn.emit(ev.ExecutionWaiting(reason=_what_is_awaited(turn)))
    elif state.status is ExecutionStatus.WAITING and state.busy > 0:
        turn.emit(ev.ExecutionContinued())


def _what_is_awaited(turn: Turn) -> str:
    names = [
        f"{step_id} ({step.status.value})"
        for step_id, step in turn.state.steps.items()
        if step.status in (StepStatus.WAITING, StepStatus.LOST)
    ] + [f"{name} (approval)" for name, _ in open_gates(turn.state)]
    names += [f"a slot of {s.key}" for s in turn.state.slots.values() if not s.granted]
    return "waits for: " + ", ".join(names[:10])
