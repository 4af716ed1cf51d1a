"""Run now: what a step waits for need not be waited for any longer.

* The delay before a retry or before the next round of `until`, the next offer of what no agent
  fits, the delay of a `wait_for`, the pause between two batches of a fleet, and what a deferred
  attempt waits for.
* During a pause all but deferred attempts and choices are only made due: they start when it ends.
* What waits for people or events (a gate, a signal, a lock) is not hurried: answer it instead.
"""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.choosing import delay_over
from shared.workflow.instances import go_on
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import RunNowRequested
from shared.workflow.program import Program
from shared.workflow.scheduling import schedule_attempt, start_overdue
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn

_S = StepStatus


def run_now_requested(turn: Turn, request: RunNowRequested) -> None:
    """Let a step go on at once."""
    key = request.step
    step = turn.state.steps.get(key)
    if step is None or (step.attempt, step.leg) != (request.attempt, request.leg):
        return
    if why_not_now(turn.program, turn.state, key) is not None:
        return
    turn.emit(ev.StepHurried(step=key, attempt=step.attempt, by=request.by, reason=request.reason))
    for timer in ("retry", "place", "wake", "choice", "batch"):
        turn.clear_timer(f"{timer}-{key}")
    if step.status is _S.EXPANDED:
        go_on(turn, key)
    elif step.status is not _S.WAITING:
        start_overdue(turn, key)
    elif turn.compiled(key).step.wait_for is not None:
        delay_over(turn, key)
    else:
        schedule_attempt(turn, key, step.attempt, step.leg + 1)


def why_not_now(program: Program, state: ExecutionState, key: str) -> str | None:
    """Why a step cannot be run now; `None` when it can."""
    step = state.steps.get(key)
    if step is None:
        return f"there is no step {key}"
    if step.status is _S.RETRYING and f"retry-{key}" in state.timers:
        return None
    if step.status is _S.BLOCKED and f"place-{key}" in state.timers:
        return None
    if step.status is _S.EXPANDED and f"batch-{key}" in state.timers:
        return None
    if step.status is not _S.WAITING:
        return f"step {key} is {step.status.value}: it waits for no delay"
    if program.step(key).step.wait_for is not None and f"choice-{key}" not in state.timers:
        return f"step {key} waits for a signal and for no delay: send the signal"
    return None
