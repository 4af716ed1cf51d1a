"""Failures: tried again, tolerated, or the end of the execution."""

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from tests.unit.workflow.scenario import Run, step

RETRY = {"max_attempts": 3, "delay_s": 2, "factor": 3, "jitter": 0}


def test_a_failure_fails_the_execution() -> None:
    """Without a retry and without tolerance, the first failure ends the execution."""
    run = Run(step("a"), step("b", "a"))
    run.request()
    assert run.fail("a") == [
        "step.failed",
        "execution.failing",
        "step.skipped",
        "execution.failed",
    ]
    assert run.the(ev.ExecutionFailed).step == "a"
    assert run.step("b").reason == "the execution failed at step a"


def test_a_retry_can_succeed() -> None:
    """A failed attempt is tried again after its delay, and its failure stays in the history."""
    run = Run(step("a", retry=RETRY))
    run.request()
    assert run.fail("a") == ["step.retrying", "timer.set"]
    assert run.the(ev.StepRetrying).due_ms == run.now + 2_000
    assert run.fire("retry-a") == ["timer.cleared", "step.scheduled"]
    run.succeed("a")
    assert run.status == "completed"
    assert [(a.number, a.outcome) for a in run.step("a").attempts] == [
        (1, "failed"),
        (2, "completed"),
    ]
    assert run.step("a").failure is None


def test_retries_are_exhausted() -> None:
    """After `max_attempts` failures the step fails for good."""
    run = Run(step("a", retry=RETRY))
    run.request()
    delays = []
    for _ in range(2):
        run.fail("a")
        delays.append(run.the(ev.StepRetrying).due_ms - run.now)
        run.fire("retry-a")
    assert delays == [2_000, 6_000]
    assert run.fail("a")[0] == "step.failed"
    assert len(run.step("a").attempts) == 3


def test_some_failures_are_not_retried() -> None:
    """A failure that is not retryable fails the step at once."""
    run = Run(step("a", retry=RETRY))
    run.request()
    assert run.fail("a", retryable=False)[0] == "step.failed"


def test_losses_do_not_use_up_retries() -> None:
    """An attempt that was lost is not counted as a failed one."""
    run = Run(step("a", retry={**RETRY, "max_attempts": 2}, on_lost="rerun"))
    run.request()
    run.start("a")
    run.lose("a")
    assert run.fail("a") == ["step.retrying", "timer.set"]


def test_a_tolerated_failure_goes_on() -> None:
    """With `continue_on_failure` the steps behind it run, and the end names the failed step."""
    run = Run(step("a", continue_on_failure=True), step("b", "a"))
    run.request()
    assert run.fail("a") == ["step.failed", "step.scheduled"]
    run.succeed("b")
    assert run.status == "completed_with_errors"
    assert run.the(ev.ExecutionCompletedWithErrors).failed_steps == ("a",)


def test_what_runs_may_finish() -> None:
    """After a failure, what runs may finish; what waits for a retry is given up at once."""
    run = Run(step("a"), step("b"), step("c", retry=RETRY), step("d", "b"))
    run.request()
    run.fail("c")
    run.start("b")
    assert run.fail("a") == ["step.failed", "execution.failing", "step.cancelled"]
    assert run.statuses == {"a": "failed", "b": "running", "c": "cancelled", "d": "pending"}
    assert run.finish("b") == ["step.completed", "step.skipped", "execution.failed"]
    assert [a.outcome for a in run.step("c").attempts] == ["failed"]


def test_what_no_agent_has_claimed_is_cancelled_after_a_failure() -> None:
    """After a failure a scheduled step is given up at once; a claim that comes later is revoked."""
    run = Run(step("a"), step("b"), step("c"))
    run.request()
    run.start("b")
    assert run.fail("a") == ["step.failed", "execution.failing", "step.cancelled"]
    assert run.statuses == {"a": "failed", "b": "running", "c": "cancelled"}
    assert run.start("c") == ["step.revoked"]
    assert run.finish("b") == ["step.completed", "execution.failed"]


def test_the_first_failure_is_the_reason() -> None:
    """A second failure, while what runs finishes, does not replace the first one; nor is it
    tried again."""
    run = Run(step("a"), step("b", retry=RETRY))
    run.request()
    run.start("b")
    run.fail("a")
    assert run.fail("b") == ["step.failed", "execution.failed"]
    assert run.the(ev.ExecutionFailed).step == "a"


def test_waits_are_given_up_after_a_failure() -> None:
    """When only waits are left after a failure, they are cancelled and the execution ends."""
    run = Run(step("a"), step("b"))
    run.request()
    run.start("a")
    run.defer("a")
    assert run.fail("b") == [
        "step.failed",
        "execution.failing",
        "step.cancelled",
        "execution.failed",
    ]


def test_a_failure_after_waiting_ends_it() -> None:
    """An execution that waits for a verdict fails from there."""
    run = Run(step("a", on_lost="ask"))
    run.request()
    run.lose("a")
    run.resolve("a", "failed")
    assert run.types == ["step.failed", "execution.failing", "execution.failed"]


# Ends


def test_outputs_are_rendered_at_the_end() -> None:
    """A completed execution has the outputs that its template describes."""
    outputs = {"n": "${{ steps.a.output.n * 2 }}", "who": "me"}
    run = Run(step("a"), outputs=outputs)
    run.request()
    run.succeed("a", n=4)
    assert run.state.outputs == {"n": 8, "who": "me"}


def test_outputs_that_fail_fail_the_execution() -> None:
    """An output that cannot be rendered is no success."""
    run = Run(step("a"), outputs={"n": "${{ steps.a.output.n }}"})
    run.request()
    assert run.succeed("a") == ["step.completed", "execution.failed"]
    failure = run.state.failure
    assert failure is not None
    assert failure.message.startswith("outputs: ")


def test_an_end_after_waiting_says_that_it_went_on() -> None:
    """An execution that completes while it waits first says that it continues."""
    run = Run(step("a", on_lost="ask"))
    run.request()
    run.lose("a")
    assert run.resolve("a", "completed") == [
        "step.completed",
        "execution.continued",
        "execution.completed",
    ]


@pytest.mark.parametrize(
    ("ending", "texts"),
    [
        ("completed", ["all is well"]),
        ("failed", ["T: failed"]),
        ("cancelled", ["T: cancelled", "stopped"]),
    ],
)
def test_ends_are_notified(ending: str, texts: list[str]) -> None:
    """Each notification of the template that is meant for this end is raised."""
    notifications = [
        {"on": ["completed"], "message": "all is well"},
        {"on": ["failed", "cancelled"], "severity": "critical"},
        {"on": ["cancelled"], "message": "stopped"},
    ]
    run = Run(step("a"), policies={"notifications": notifications})
    run.request()
    if ending == "cancelled":
        run.cancel()
    elif ending == "failed":
        run.fail("a")
    else:
        run.succeed("a")
    raised = [e for e in run.events if isinstance(e, ev.NotificationRaised)]
    assert [e.message for e in raised] == texts


def test_nothing_happens_after_the_end() -> None:
    """An ended execution ignores every message but claims."""
    run = Run(step("a"))
    run.request()
    run.succeed("a")
    for message in (msg.CancelRequested(), msg.PauseRequested(), msg.ResumeRequested()):
        assert run.tell(message) == []
    assert run.finish("a", "failed") == []
