"""`decide`, held to everything that must be true of every single decision.

Used by the examples and by the simulator. It also notes which transitions of the machines were
taken, so that a test can tell those that nothing reaches.
"""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.decide import Decided, decide
from shared.workflow.evolve import create, evolve
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import WORKFLOW_GATE
from shared.workflow.machines.approval import APPROVAL
from shared.workflow.machines.execution import ENDED, ExecutionStatus
from shared.workflow.machines.step import BUSY, OUTSIDE, STEP_ENDED
from shared.workflow.messages import ApprovalMessage, AttemptStarted, Entry, SlotGranted
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState

Transition = tuple[str, str, str]
"""Machine, status, event type."""

ENDS = {"completed", "failed", "skipped", "cancelled"}


def checked_decide(
    program: Program,
    state: ExecutionState | None,
    entry: Entry,
    seen: set[Transition] | None = None,
) -> Decided:
    """Decide, check the decision, and add the transitions it took to `seen`."""
    decided = decide(program, state, entry)
    again = decide(program, state, entry)
    assert decided == again, "the same inputs led to different events"
    assert _folded(state, decided, entry, seen) == decided.state, "state is not the fold"
    if decided.state is not None:
        check_counts(decided.state)
        _check_history(state, decided.state)
        _check_repetition(program, decided.state, entry)
    _check_json(decided)
    return decided


def check_counts(state: ExecutionState) -> None:
    """The kept counts equal a recount."""
    steps = state.steps.values()
    assert state.open == sum(s.status not in STEP_ENDED for s in steps)
    assert state.busy == sum(s.status in BUSY for s in steps)
    assert state.outside == sum(s.status in OUTSIDE for s in steps)
    if state.status in ENDED:
        assert state.open == 0, "it ended with open steps"
        assert state.timers == {}, "it ended with timers"


def _folded(
    state: ExecutionState | None, decided: Decided, entry: Entry, seen: set[Transition] | None
) -> ExecutionState | None:
    for event in decided.events:
        if seen is not None and state is not None:
            seen.update(_transitions(state, event))
        if isinstance(event, ev.ExecutionCreated):
            assert state is None
            state = create(entry.execution_id, event, entry.at_ms)
        else:
            state = evolve(state, event, entry.at_ms)
    return state


def _transitions(state: ExecutionState, event: ev.AnyEvent) -> list[Transition]:
    if isinstance(event, ev.StepEvent):
        return [("step", state.steps[event.step].status.value, event.type)]
    if isinstance(event, ev.TimerSet | ev.TimerCleared):
        return [("timer", "set" if event.timer in state.timers else "unset", event.type)]
    if isinstance(event, ev.GateEvent):
        before = gate_of(state, event.gate).status
        taken: list[Transition] = [("approval", before.value, event.type)]
        if event.gate == WORKFLOW_GATE and APPROVAL.next(before, event.type) is not before:
            taken.append(("execution", state.status.value, event.type))
        return taken
    if isinstance(event, ev.NotificationRaised | ev.SlotEvent):
        return []
    return [("execution", state.status.value, event.type)]


def _check_history(before: ExecutionState | None, after: ExecutionState) -> None:
    """What is recorded stays as it is."""
    if before is None:
        return
    assert after.version >= before.version
    if before.ended:
        held = after.status is ExecutionStatus.ROLLING_BACK
        assert held or after.status is before.status, "an end changed"
        kept = (before.outputs, before.failure, before.ended_at_ms)
        assert (after.outputs, after.failure, after.ended_at_ms) == kept, "an end changed"
    for name, step in before.steps.items():
        now = after.steps[name]
        assert now.attempts[: len(step.attempts)] == step.attempts, "a recorded attempt changed"
        numbers = [a.number for a in now.attempts]
        assert numbers == sorted(set(numbers)), f"attempts of {name} recorded twice: {numbers}"
        if step.ended:
            assert now == step, f"step {name} changed after its end"


def _check_repetition(program: Program, state: ExecutionState, entry: Entry) -> None:
    """The same message once more changes nothing (a stale claim is refused once more; an answer to
    a round that is over is recorded as one that does not count, once)."""
    again = decide(program, state, entry.model_copy(update={"seq": entry.seq + 1}))
    repeated = again.events
    if isinstance(entry.message, AttemptStarted):
        assert all(isinstance(event, ev.StepRevoked) for event in repeated)
    elif isinstance(entry.message, SlotGranted):
        assert all(isinstance(event, ev.SlotReleased) for event in repeated)
    elif isinstance(entry.message, ApprovalMessage) and repeated:
        assert [event.type for event in repeated] == ["approval.refused"]
        assert decide(program, again.state, entry.model_copy(update={"seq": entry.seq + 2})) == (
            Decided(again.state, ())
        )
    else:
        assert repeated == (), f"a repeated {entry.message.type} led to {repeated}"


def _check_json(decided: Decided) -> None:
    """State and events are the same after a way through JSON."""
    if decided.state is not None:
        text = decided.state.model_dump_json()
        assert ExecutionState.model_validate_json(text) == decided.state
    for event in decided.events:
        assert ev.EVENT.validate_json(ev.EVENT.dump_json(event)) == event
