"""What must be claimed before it starts, and by which token later starts are told from earlier."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow import messages as msg
from tests.unit.workflow.scenario import Run, step

RETRY = {"max_attempts": 3, "delay_s": 2, "jitter": 0}


def test_what_changes_nothing_need_not_be_claimed() -> None:
    """A step of a command without effects is offered without a claim, and its report alone starts
    and ends it; any other step must be claimed first, an idempotent one too: started late, it would
    undo what came after it. So must one whose author wants to know of its loss."""
    run = Run(step("a", command="look"), step("b", "a", idempotent=True))
    run.request()
    assert not run.the(ev.StepScheduled).must_claim
    assert run.finish("a", agent="a7", host="h7") == [
        "step.started",
        "step.completed",
        "step.scheduled",
    ]
    started = run.the(ev.StepStarted)
    assert (started.agent, started.host) == ("a7", "h7")
    assert run.the(ev.StepScheduled).must_claim
    asks = Run(step("a", command="look", on_lost="ask"))
    asks.request()
    assert asks.the(ev.StepScheduled).must_claim


def test_each_start_has_a_higher_fencing_token() -> None:
    """The token is the sequence of the claim, so that a later attempt's is higher, and it is kept
    with the step."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.start("a")
    first = run.the(ev.StepStarted).fence
    assert first == run.history[-1].seq == run.step("a").fence
    run.finish("a", "failed")
    run.fire("retry-a")
    run.start("a")
    assert run.the(ev.StepStarted).fence == run.step("a").fence > first


def test_what_waits_is_stopped_with_proof() -> None:
    """An attempt that begins to wait while it is to be stopped ends as cancelled: nothing of it
    runs, and the record says so."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.cancel()
    assert run.defer("a") == ["step.cancelled", "execution.cancelled"]
    assert run.step("a").attempts[-1].proof == msg.Proof(
        gone=True, reason="it had begun to wait, and held no agent any more"
    )
