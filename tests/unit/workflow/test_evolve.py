"""What does not belong together is refused."""

import pytest

from shared.workflow import events as ev
from shared.workflow.errors import CorruptStateError, UndefinedTransitionError
from shared.workflow.evolve import evolve
from shared.workflow.messages import Actor
from shared.workflow.state import ExecutionState, TimerState
from shared.workflow.trusted import renewed, trusted
from shared.workflow.turn import Turn
from tests.unit.workflow.scenario import Run, step


def created() -> ExecutionState:
    run = Run(step("a"))
    run.request()
    return run.state


def test_the_first_event_creates() -> None:
    """An event without a state to apply it to is refused, unless it creates one."""
    with pytest.raises(CorruptStateError, match=r"must be execution\.created"):
        evolve(None, ev.ExecutionStarted(), 1)


def test_creation_has_its_own_function() -> None:
    """The first event needs an execution id, which `evolve` does not have."""
    event = Run(step("a"))
    event.request()
    with pytest.raises(CorruptStateError, match="use `create`"):
        evolve(None, event.the(ev.ExecutionCreated), 1)


def test_unknown_steps_are_refused() -> None:
    """An event of a step that the execution does not have is refused."""
    with pytest.raises(CorruptStateError, match="there is no step 'b'"):
        evolve(created(), ev.StepSkipped(step="b", reason=""), 1)


@pytest.mark.parametrize(
    "event",
    [
        ev.ExecutionResumed(by=Actor()),
        ev.StepTargeted(step="a", instances=(), batches=0),
        ev.TimerCleared(timer="deadline"),
        ev.ApprovalGranted(by=Actor()),
    ],
)
def test_undefined_transitions_are_refused(event: ev.AnyEvent) -> None:
    """An event that a machine's table does not allow now is refused."""
    with pytest.raises(UndefinedTransitionError):
        evolve(created(), event, 1)


def test_a_turn_needs_an_execution() -> None:
    """A rule that looks at the state before there is one is a corrupt state."""
    with pytest.raises(CorruptStateError, match="has not been created"):
        _ = Turn(Run(step("a")).program, None, 1).state


def test_a_trusted_model_is_a_constructed_model() -> None:
    """`trusted` makes what pydantic's own unchecked way makes."""
    new = trusted(TimerState, due_ms=5, generation=7)
    assert new == TimerState.model_construct(due_ms=5, generation=7)
    assert new == TimerState(due_ms=5, generation=7)
    assert new.model_fields_set == {"due_ms", "generation"}
    assert new.model_dump_json() == '{"due_ms":5,"generation":7}'


def test_a_renewed_model_is_a_copied_model() -> None:
    """`renewed` makes what pydantic's own copy makes, and leaves the original as it was."""
    state = created()
    changes = {"version": 99, "labels": {"a": "b"}}
    new = renewed(state, changes)
    assert new == state.model_copy(update=changes)
    assert new.model_dump() == state.model_copy(update=changes).model_dump()
    assert new.model_fields_set == state.model_fields_set | {"version", "labels"}
    assert state.version == 3
