"""A person says what became of a step, whatever has or has not been done of it.

* A recorded outcome never changes: what has ended cannot be marked.
* What runs is stopped first, with proof, and the mark decides once it is gone. Where it succeeded
  before the stop reached it, that is what became of it, and the mark is void.
* What nobody has started is decided at once; a late claim of it is refused, as any other one.
"""

from __future__ import annotations

from typing import Final

from shared.workflow import events as ev
from shared.workflow.expressions import json_size
from shared.workflow.failing import MAX_OUTPUT_BYTES
from shared.workflow.instances import go_on
from shared.workflow.machines.step import MARKABLE, StepStatus
from shared.workflow.marks import carry_out
from shared.workflow.message_base import Mark
from shared.workflow.messages import MarkRequested
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState
from shared.workflow.stopping import stop_steps
from shared.workflow.turn import Turn

_TIMERS: Final = ("retry", "place", "wake", "choice", "batch")
"""What a step that is marked need not wait for any longer."""


def mark_requested(turn: Turn, request: MarkRequested) -> None:
    """Mark a step; see the module's law."""
    if why_not_marked(turn.program, turn.state, request) is not None:
        return
    key = request.step
    mark = Mark(
        verdict=request.verdict, by=request.by, reason=request.reason, output=request.output
    )
    step = turn.step(key)
    turn.emit(ev.StepMarked(step=key, attempt=step.attempt, mark=mark))
    for timer in _TIMERS:
        turn.clear_timer(f"{timer}-{key}")
    if step.status in (StepStatus.RUNNING, StepStatus.CALLING):
        stop_steps(turn, [key], f"{mark.by.id} marked it as {mark.verdict}")
    elif step.status is StepStatus.EXPANDED:
        go_on(turn, key)
    else:
        carry_out(turn, key)


def why_not_marked(program: Program, state: ExecutionState, request: MarkRequested) -> str | None:
    """Why a step cannot be marked; `None` when it can."""
    key = request.step
    step = state.steps.get(key)
    if step is None:
        return f"there is no step {key}"
    if step.status not in MARKABLE:
        return f"step {key} is {step.status.value}; what is recorded, or being stopped, stays so"
    if not state.started_at_ms:
        return "nothing of the execution has started: it awaits its approval"
    if step.mark is not None:
        return f"{step.mark.by.id} has marked step {key} already"
    return _why_unfit(program, state, request)


def _why_unfit(program: Program, state: ExecutionState, request: MarkRequested) -> str | None:
    if request.verdict == "failed":
        return None
    step = program.step(request.step).step
    if step.switch is not None or step.wait_for is not None:
        return f"step {step.id} decides which steps run: send what it waits for, or mark those"
    secret = sorted(set(step.sensitive) & request.output.keys())
    if secret:
        return f"output {', '.join(secret)} is sensitive: only the agent that ran it can seal it"
    if state.output_bytes + json_size(request.output) > MAX_OUTPUT_BYTES:
        limit = MAX_OUTPUT_BYTES // 2**20
        return f"the outputs of this execution would take more than {limit} MiB together"
    return None
