"""The end of an execution that is to be rolled back by itself, as its policy says.

* `on_failure` and `on_cancel`: all of it.
* Otherwise of each fleet that failed, where it has a way back: what it did on the targets that it
  touched (`fleets`). A failure that is tolerated is none: the rest went on with what the fleet did.
* A sub-workflow does not undo itself: what depended on it only the execution above all others
  knows. So what its failed fleets touched goes up with its failure (`touched`, as paths), and when
  the topmost execution fails for it, that asks for it.
"""

from __future__ import annotations

from typing import Final

from shared.workflow import events as ev
from shared.workflow.binding import base
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import ENGINE, Failure
from shared.workflow.turn import Turn
from shared.workflow.way_back import RollbackPolicy, Strategy

MOST_TOUCHED: Final = 50
"""Fleets of a sub-workflow, and of those below it, that are told upwards."""
_WORDS: Final = {ExecutionStatus.FAILED: "failed", ExecutionStatus.CANCELLED: "was cancelled"}
_MAY_BE_UNDONE: Final = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


def ask_for_rollback(turn: Turn) -> None:
    """Ask for a rollback if the policy says so and nobody has asked yet."""
    state, policies = turn.state, turn.program.template.policies
    asked = state.rollback is not None
    if state.parent is not None or asked or not policies.rollback_enabled:
        return
    if state.validating:  # nothing of it has begun
        return
    if state.status not in _MAY_BE_UNDONE:
        return
    policy = policies.rollback
    steps: tuple[str, ...] = ()
    strategy: Strategy
    if _whole(state.status, policy):
        strategy, to = policy.strategy, policy.to_checkpoint or ""
        reason = f"the execution {_WORDS[state.status]}"
    else:
        strategy, to = "graceful", ""
        steps = _failed_fleets(turn) if policy.fleets else ()
        reason = f"{', '.join(steps[:10])} failed"
        if not steps:
            return
    turn.emit(
        ev.ExecutionRollbackRequested(
            number=0, strategy=strategy, to=to, by=ENGINE, reason=reason, steps=steps
        )
    )


def _whole(status: ExecutionStatus, policy: RollbackPolicy) -> bool:
    """Whether all of an execution with this end is to be undone."""
    if status is ExecutionStatus.FAILED:
        return policy.on_failure
    return status is ExecutionStatus.CANCELLED and policy.on_cancel


def with_touched(turn: Turn, failure: Failure) -> Failure:
    """The failure of a sub-workflow, with what its fleets touched that is to be undone."""
    policies = turn.program.template.policies
    if turn.state.parent is None or not policies.rollback_enabled or not policies.rollback.fleets:
        return failure if not failure.touched else failure.model_copy(update={"touched": ()})
    return failure.model_copy(update={"touched": _failed_fleets(turn)[:MOST_TOUCHED]})


def _failed_fleets(turn: Turn) -> tuple[str, ...]:
    """The fleets that failed, and those below calls that failed, as paths."""
    found: list[str] = []
    for key, one in turn.state.steps.items():
        if one.status is not StepStatus.FAILED or one.tolerated:
            continue
        if one.instances and _has_way_back(turn, key):
            found.append(key)
        if one.failure is not None and one.child:
            found += [f"{base(key)}/{path}" for path in one.failure.touched]
    return tuple(dict.fromkeys(found))


def _has_way_back(turn: Turn, key: str) -> bool:
    compiled = turn.compiled(key)
    if compiled.selector is None:
        return False
    return compiled.step.rollback is not None or any(
        one.captured is not None and one.captured.files
        for name, one in turn.state.steps.items()
        if base(name) == key
    )
