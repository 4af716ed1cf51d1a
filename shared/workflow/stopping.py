"""Stopping: what is not started is cancelled at once, what runs is told to stop and must prove it.

The order to stop is a message that can be missed, so it is repeated every `STOP_AGAIN_MS` until the
agent answers; after `STOP_LIMIT_MS` the step ends as cancelled without proof, and says so.
"""

from __future__ import annotations

from typing import Final

from shared.workflow import events as ev
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import Proof
from shared.workflow.turn import Turn

STOP_AGAIN_MS: Final = 3_000
STOP_LIMIT_MS: Final = 60_000
STOP_TIMER: Final = "stop"
STOP_LIMIT_TIMER: Final = "stop-limit"


def stop_all(turn: Turn, reason: str) -> None:
    """Stop every step that has not ended."""
    running = [s for s, state in turn.state.steps.items() if state.status is StepStatus.RUNNING]
    cancel_unstarted(turn, reason)
    for step_id in running:
        step = turn.step(step_id)
        turn.emit(ev.StepStopping(step=step_id, attempt=step.attempt, leg=step.leg))
    if running:
        turn.set_timer(STOP_TIMER, turn.at_ms + STOP_AGAIN_MS)
        turn.set_timer(STOP_LIMIT_TIMER, turn.at_ms + STOP_LIMIT_MS)


def cancel_unstarted(turn: Turn, reason: str) -> None:
    """Cancel every open step that no agent is running."""
    kept = (StepStatus.RUNNING, StepStatus.STOPPING)
    for step_id, step in turn.state.steps.items():
        if not step.ended and step.status not in kept:
            turn.emit(ev.StepCancelled(step=step_id, attempt=step.attempt, reason=reason))


def stop_again(turn: Turn) -> None:
    """Repeat the order to those that have not answered."""
    for step_id in _stopping(turn):
        step = turn.step(step_id)
        turn.emit(ev.StepStopping(step=step_id, attempt=step.attempt, leg=step.leg))
    turn.set_timer(STOP_TIMER, turn.at_ms + STOP_AGAIN_MS)


def give_up_stopping(turn: Turn) -> None:
    """End what never answered, and say that there is no proof."""
    for step_id in _stopping(turn):
        step = turn.step(step_id)
        reason = f"agent {step.agent} did not confirm within {STOP_LIMIT_MS // 1000} s"
        proof = Proof(gone=False, reason=reason)
        turn.emit(ev.StepLost(step=step_id, attempt=step.attempt, reason=reason, proof=proof))
        turn.emit(ev.StepCancelled(step=step_id, attempt=step.attempt, reason=reason))


def _stopping(turn: Turn) -> list[str]:
    return [s for s, state in turn.state.steps.items() if state.status is StepStatus.STOPPING]
