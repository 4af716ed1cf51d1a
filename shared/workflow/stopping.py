"""Stopping: what is not started is cancelled at once, what runs is told to stop and must prove it.

The order to stop is a message that can be missed, so it is repeated every `STOP_AGAIN_MS` until the
agent answers; after `STOP_LIMIT_MS` the step ends as cancelled without proof, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.machines.step import StepStatus
from shared.workflow.marks import end_stopped
from shared.workflow.messages import Proof
from shared.workflow.turn import Turn

STOP_AGAIN_MS: Final = 3_000
STOP_LIMIT_MS: Final = 60_000
STOP_TIMER: Final = "stop"
STOP_LIMIT_TIMER: Final = "stop-limit"
_RUNS: Final = (StepStatus.RUNNING, StepStatus.CALLING, StepStatus.STOPPING)


def stop_all(turn: Turn, reason: str, *, everything: bool = False) -> None:
    """Stop every step that has not ended; what is to run at any end is spared, unless it must
    stop as well (`everything`)."""
    stop_steps(turn, _unspared(turn, everything=everything), reason)


def drain_all(turn: Turn, reason: str) -> None:
    """The same, but what agents have begun may finish."""
    keys = _unspared(turn)
    cancel_unstarted(turn, reason, keys)
    for key in keys:
        if turn.step(key).status is StepStatus.CALLING:
            _stop(turn, key, reason)


def hasten(turn: Turn, reason: str) -> None:
    """Stop what was allowed to finish, also in sub-workflows."""
    keys = _unspared(turn)
    stop_steps(turn, keys, reason)
    for key in keys:
        step = turn.step(key)
        if step.status is StepStatus.STOPPING and step.child is not None:
            _stop(turn, key, reason)


def _unspared(turn: Turn, *, everything: bool = False) -> list[str]:
    spared = frozenset() if everything else turn.program.graph.routes.after_cancel
    return [k for k, one in turn.state.steps.items() if not one.ended and base(k) not in spared]


def stop_steps(turn: Turn, keys: Iterable[str], reason: str) -> None:
    """Stop these open steps: at once where nothing runs, else with the proof of their agents."""
    steps = turn.state.steps
    stopping = [k for k in keys if steps[k].status in (StepStatus.RUNNING, StepStatus.CALLING)]
    cancel_unstarted(turn, reason, keys)
    for key in stopping:
        _stop(turn, key, reason)
    if any(turn.step(key).child is None for key in stopping):
        for timer, delay_ms in ((STOP_TIMER, STOP_AGAIN_MS), (STOP_LIMIT_TIMER, STOP_LIMIT_MS)):
            turn.clear_timer(timer)
            turn.set_timer(timer, turn.at_ms + delay_ms)


def cancel_unstarted(turn: Turn, reason: str, keys: Iterable[str]) -> None:
    """Cancel those of these open steps that nobody is running."""
    for key in keys:
        step = turn.step(key)
        if not step.ended and step.status not in _RUNS:
            turn.emit(ev.StepCancelled(step=key, attempt=step.attempt, reason=reason))


def _stop(turn: Turn, key: str, reason: str) -> None:
    step = turn.step(key)
    if step.child is not None:
        turn.emit(ev.StepRecalled(step=key, attempt=step.attempt, child=step.child, reason=reason))
    else:
        turn.emit(ev.StepStopping(step=key, attempt=step.attempt, leg=step.leg))


def stop_again(turn: Turn) -> None:
    """Repeat the order to those that have not answered."""
    stopping = _stopping(turn)
    for step_id in stopping:
        step = turn.step(step_id)
        turn.emit(ev.StepStopping(step=step_id, attempt=step.attempt, leg=step.leg))
    if stopping:
        turn.set_timer(STOP_TIMER, turn.at_ms + STOP_AGAIN_MS)


def give_up_stopping(turn: Turn) -> None:
    """End what never answered, and say that there is no proof."""
    for step_id in _stopping(turn):
        step = turn.step(step_id)
        reason = f"agent {step.agent} did not confirm within {STOP_LIMIT_MS // 1000} s"
        proof = Proof(gone=False, reason=reason)
        turn.emit(ev.StepLost(step=step_id, attempt=step.attempt, reason=reason, proof=proof))
        end_stopped(turn, ev.StepCancelled(step=step_id, attempt=step.attempt, reason=reason))


def _stopping(turn: Turn) -> list[str]:
    """What agents are still stopping; a sub-workflow proves its end by itself."""
    return [
        key
        for key, step in turn.state.steps.items()
        if step.status is StepStatus.STOPPING and step.child is None
    ]
