"""What is kept before a step: which steps are told to, and what the execution knows of it."""

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.captured import Captured
from shared.workflow.capturing import CaptureOrder
from tests.unit.workflow.scenario import Run, step

KEPT = Captured(agent="a1", attempt=1, items=2, files=1, bytes=30)
LOOK = {"command": "look", "parameters": {"host": "${{ params.host }}"}, "timeout_s": 5}
PARAMETERS = {"host": {"type": "string", "default": "web-1"}}


def order_of(first: dict[str, Any], **fields: Any) -> CaptureOrder | None:
    run = Run(first, parameters=PARAMETERS, **fields)
    run.request(host="web-1")
    return run.the(ev.StepScheduled).capture


@pytest.mark.parametrize(
    ("first", "policies", "kept"),
    [
        (step("a", command="put"), {}, True),
        (step("a", command="put", parameters={"dry": True}), {}, False),
        (step("a", command="put", irreversible="it is a log"), {}, False),
        (step("a", command="put"), {"rollback_enabled": False}, False),
        (step("a", command="other"), {}, False),
        (step("a", command="look"), {}, False),
        (step("a", command="look", capture=LOOK), {}, True),
        (step("a", command="other", capture=LOOK), {}, True),
        (step("a", command="other", capture=LOOK), {"rollback_enabled": False}, False),
    ],
)
def test_which_steps_keep_anything(
    first: dict[str, Any], policies: dict[str, Any], kept: bool
) -> None:
    """What an agent keeps by itself and what an author asks for is kept, where anything can be put
    back; all other steps cost nothing."""
    assert (order_of(first, policies=policies) is not None) == kept


def test_the_author_s_capture_is_rendered() -> None:
    """The agent gets the command with the values that the step's own parameters would have."""
    expected = CaptureOrder(command="look", parameters={"host": "web-1"}, timeout_s=5)
    assert order_of(step("a", command="other", capture=LOOK)) == expected
    assert order_of(step("a", command="put")) == CaptureOrder()


def test_secrets_of_a_capture_stay_late() -> None:
    """A secret in the capture's parameters is put in by the agent, like one in the step's own."""
    secret = {"command": "look", "parameters": {"key": "${{ secrets.API_KEY }}"}}
    order = order_of(step("a", command="other", capture=secret))
    assert order is not None
    assert order.parameters == {"key": "${{ secrets.API_KEY }}"}
    assert order.late is not None
    assert order.late.secrets == ("API_KEY",)


def test_a_capture_that_cannot_be_rendered_fails_the_step() -> None:
    """Nothing is started without what was to be kept before it."""
    broken = {"command": "look", "parameters": {"x": "${{ [1][int(params.host)] }}"}}
    run = Run(step("a", command="other", capture=broken), parameters=PARAMETERS)
    run.request(host="7")
    failure = run.the(ev.StepFailed).failure
    assert failure.code == "expression_error"


def test_it_is_kept_before_each_attempt_and_no_later_leg() -> None:
    """A leg that goes on after a wait has changed things already; a new attempt may be on another
    agent."""
    run = Run(step("a", command="put", retry={"max_attempts": 2}))
    run.request()
    run.start("a")
    run.tell(msg.AttemptDeferred(step="a", attempt=1, agent="a1", token="k", captured=KEPT))
    assert run.step("a").captured == KEPT
    run.wake("a")
    assert run.the(ev.StepScheduled).capture is None
    run.fail("a")
    run.fire("retry-a")
    assert run.the(ev.StepScheduled).capture == CaptureOrder()
    assert run.step("a").captured == KEPT


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_what_was_kept_is_known(outcome: str) -> None:
    """Whatever becomes of the attempt, the execution knows that something was kept before it."""
    run = Run(step("a", command="put"))
    run.request()
    run.start("a")
    run.finish("a", outcome, captured=KEPT)
    assert run.step("a").captured == KEPT
