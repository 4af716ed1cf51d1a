"""The values that an expression's variables have."""

import pytest

from shared.workflow.binding import bind
from shared.workflow.state import ExecutionState
from tests.unit.workflow.scenario import Run, step


@pytest.fixture
def state() -> ExecutionState:
    """Return an execution whose step `a` completed and whose step `b` waits for a retry."""
    declared = {"n": {"type": "integer"}, "maybe": {"type": "string", "required": False}}
    run = Run(step("a"), step("b", retry={"max_attempts": 2}), parameters=declared)
    run.request(n=3)
    run.succeed("a", code=0)
    run.fail("b")
    return run.state


def test_parameters_that_were_not_given_are_null(state: ExecutionState) -> None:
    """A parameter has its value, and one that was left out is `null`."""
    assert bind(["params.n", "params.maybe"], state) == {"params.n": 3, "params.maybe": None}


def test_steps_have_status_error_and_attempts(state: ExecutionState) -> None:
    """What happened to a step so far can be used."""
    names = ["steps.a.status", "steps.a.error", "steps.b.error", "steps.b.attempts"]
    assert bind(names, state) == {
        "steps.a.status": "completed",
        "steps.a.error": "",
        "steps.b.error": "exit code 1",
        "steps.b.attempts": 1,
    }


def test_outputs_are_bound_whole_or_by_field(state: ExecutionState) -> None:
    """A declared field is bound where the output has it, and has no value where it has not."""
    names = ["steps.a.output", "steps.a.output.code", "steps.b.output.code"]
    assert bind(names, state) == {"steps.a.output": {"code": 0}, "steps.a.output.code": 0}


def test_the_checked_output_is_bound(state: ExecutionState) -> None:
    """Checks see the output of the step that they check."""
    assert bind(["output", "output.x", "output.y"], state, {"x": 1}) == {
        "output": {"x": 1},
        "output.x": 1,
    }
