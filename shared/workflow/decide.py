"""`decide(program, state, entry) -> Decided`: the law by which a journal entry moves an execution.

* Deterministic: the same program, state and entry give the same events, on every machine and in
  every replay. Time and ids come in with the entry.
* Total: a message that does not apply (late, duplicate, of an ended execution) decides nothing.
* The first message of an execution is its request; anything before it decides nothing.
* Every turn ends settled: whatever is ready has been scheduled, and what is over has ended.

The rules themselves: `lifecycle` (requests, approval, timers), `attempts` (reports of runners),
`settling` and `routing` (what becomes ready), `scheduling` (how it starts), `gates` and
`gate_answers` (approvals), `instances` (loops), `waves` (fleets), `calling` (sub-workflows),
`choosing` (waits), `regions`, `slots` and `slot_answers` (concurrency across executions),
`failing`, `stopping`, `sections` and `ending`; what people do to single steps: `breakpoints`,
`marking`, `hurrying`; how a re-run begins: `adopting`; how one is held while it is rolled back:
`undoing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.workflow import (
    attempts,
    breakpoints,
    calling,
    choosing,
    hurrying,
    instances,
    lifecycle,
    marking,
    regions,
    slot_answers,
    undoing,
    waves,
)
from shared.workflow import messages as msg
from shared.workflow.events import AnyEvent
from shared.workflow.messages import Entry
from shared.workflow.program import Program
from shared.workflow.settling import settle
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn


@dataclass(frozen=True, slots=True)
class Decided:
    """What an entry led to: the events in order, and the state after them."""

    state: ExecutionState | None
    events: tuple[AnyEvent, ...]


_RULES: Final[Mapping[type, Callable[[Turn, Any], None]]] = {
    msg.AttemptStarted: attempts.started,
    msg.AttemptFinished: attempts.finished,
    msg.AttemptDeferred: attempts.deferred,
    msg.AttemptLost: attempts.lost,
    msg.AttemptReturned: attempts.returned,
    msg.AttemptUnplaced: attempts.unplaced,
    msg.AttemptWoken: attempts.woken,
    msg.LostResolved: attempts.lost_resolved,
    msg.TimerFired: lifecycle.timer_fired,
    msg.CancelRequested: lifecycle.cancel_requested,
    msg.PauseRequested: lifecycle.pause_requested,
    msg.ResumeRequested: lifecycle.resume_requested,
    msg.ApprovalAnswered: lifecycle.approval_answered,
    msg.ChildEnded: calling.child_ended,
    msg.RunValidated: lifecycle.run_validated,
    msg.SignalReceived: choosing.signal_received,
    msg.InstancesAdded: instances.instances_added,
    msg.TargetsResolved: waves.targets_resolved,
    msg.RegionCancelRequested: regions.region_cancel_requested,
    msg.ApprovalDelegated: lifecycle.approval_delegated,
    msg.SlotGranted: slot_answers.slot_granted,
    msg.SlotRefused: slot_answers.slot_refused,
    msg.SlotRevoked: lifecycle.slot_revoked,
    msg.BreakpointsRequested: breakpoints.breakpoints_requested,
    msg.MarkRequested: marking.mark_requested,
    msg.RunNowRequested: hurrying.run_now_requested,
    msg.RollbackWanted: undoing.rollback_wanted,
    msg.RollbackEnded: undoing.rollback_ended,
}


_HEARD_AFTER_THE_END: Final = (
    msg.AttemptStarted,
    msg.SlotGranted,
    msg.RollbackWanted,
    msg.RollbackEnded,
)
"""What runs or is held in vain is given up; and what has ended can be rolled back."""


def decide(program: Program, state: ExecutionState | None, entry: Entry) -> Decided:
    """What `entry` leads to. `state` is `None` before the execution's first entry."""
    turn = Turn(program, state, entry.at_ms, entry.seq)
    message = entry.message
    if isinstance(message, msg.ExecutionRequested):
        if state is not None:
            return Decided(state, ())
        lifecycle.requested(turn, entry.execution_id, message)
    elif state is None:
        return Decided(None, ())
    elif state.over and not isinstance(message, _HEARD_AFTER_THE_END):
        return Decided(state, ())
    else:
        _RULES[type(message)](turn, message)
    if turn.events and not turn.state.over:
        settle(turn)
    return Decided(turn.state, tuple(turn.events))
