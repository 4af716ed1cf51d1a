"""Requests about the execution as a whole: approval, pause, cancel, deadline, stopping."""

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.stopping import STOP_AGAIN_MS, STOP_LIMIT_MS
from tests.unit.workflow.scenario import Run, step

APPROVAL = {"approval_required": True}
RETRY = {"max_attempts": 3, "delay_s": 2, "jitter": 0}


# Approval


def test_an_approval_is_awaited() -> None:
    """An execution that needs approval starts nothing before it is granted."""
    run = Run(step("a"), policies=APPROVAL)
    assert run.request() == ["execution.created", "approval.requested"]
    assert (run.status, run.statuses) == ("waiting", {"a": "pending"})
    assert run.answer(True) == ["approval.granted", "execution.started", "step.scheduled"]


def test_only_the_first_answer_counts() -> None:
    """A second answer changes nothing but is recorded; one that nobody asked for is ignored."""
    run = Run(step("a"), policies=APPROVAL)
    run.request()
    run.answer(True)
    assert run.answer(False) == ["approval.refused"]
    assert run.statuses == {"a": "scheduled"}
    run = Run(step("a"))
    run.request()
    assert run.answer(False) == []


def test_a_rejection_cancels() -> None:
    """A rejected execution ends as cancelled, with the person's words."""
    run = Run(step("a"), policies=APPROVAL)
    run.request()
    assert run.answer(False, "not today") == [
        "approval.rejected",
        "execution.cancelling",
        "step.cancelled",
        "execution.cancelled",
    ]
    assert run.the(ev.ExecutionCancelled).reason == "rejected by unknown: not today"


def test_a_rejection_needs_no_words() -> None:
    """A rejection without a comment names who rejected."""
    run = Run(step("a"), policies=APPROVAL)
    run.request()
    run.answer(False)
    assert run.the(ev.ExecutionCancelled).reason == "rejected by unknown"


def test_awaiting_approval_cannot_be_paused() -> None:
    """There is nothing to pause before the approval, but it can be cancelled."""
    run = Run(step("a"), policies=APPROVAL)
    run.request()
    assert run.pause() == []
    assert run.cancel()[-1] == "execution.cancelled"


# Pause


def test_a_pause_starts_nothing_new() -> None:
    """What runs may finish during a pause; what became ready starts at its end."""
    run = Run(step("a"), step("b", "a"))
    run.request()
    run.start("a")
    assert run.pause() == ["execution.paused"]
    assert run.pause() == []
    assert run.finish("a") == ["step.completed"]
    assert run.resume() == ["execution.resumed", "step.scheduled"]
    assert run.resume() == []


def test_the_last_step_may_finish_during_a_pause() -> None:
    """An execution completes out of a pause when nothing is left."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.pause()
    assert run.finish("a") == ["step.completed", "execution.completed"]


def test_a_retry_due_in_the_pause_starts_after_it() -> None:
    """A retry whose time comes during the pause waits for its end, one that is not due waits on."""
    run = Run(step("a", retry=RETRY), step("b", retry={**RETRY, "delay_s": 600}))
    run.request()
    run.fail("a")
    run.fail("b")
    run.pause()
    assert run.fire("retry-a") == ["timer.cleared"]
    assert run.resume() == ["execution.resumed", "step.scheduled"]
    assert run.statuses == {"a": "scheduled", "b": "retrying"}


def test_a_placement_due_in_the_pause_waits_for_its_end() -> None:
    """A blocked step is offered again when the pause is over."""
    run = Run(step("a"), step("b"))
    run.request()
    run.unplace("a")
    run.unplace("b")
    run.pause()
    run.fire("place-a")
    assert run.resume() == ["execution.resumed", "step.scheduled"]
    assert run.statuses == {"a": "scheduled", "b": "blocked"}


def test_a_lost_step_runs_again_after_the_pause() -> None:
    """A lost idempotent step is not run again during a pause, but at its end."""
    run = Run(step("a", idempotent=True))
    run.request()
    run.start("a")
    run.pause()
    assert run.lose("a") == ["step.lost", "step.retrying"]
    assert run.resume() == ["execution.resumed", "step.scheduled"]
    assert run.step("a").attempt == 2


def test_a_wait_goes_on_in_a_pause() -> None:
    """An attempt that is under way is resumed even during a pause; waiting can be paused."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.defer("a")
    assert run.pause() == ["execution.paused"]
    assert run.wake("a") == ["step.scheduled"]


def test_resuming_what_waits_says_so() -> None:
    """An execution that is resumed while everything waits outside is waiting again."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.defer("a")
    run.pause()
    assert run.resume() == ["execution.resumed", "execution.waiting"]


def test_a_failure_in_a_pause() -> None:
    """A step that fails during a pause fails the execution when nothing runs any more."""
    run = Run(step("a"), step("b"))
    run.request()
    run.start("a")
    run.start("b")
    run.pause()
    assert run.finish("a", "failed") == ["step.failed", "execution.failing"]
    assert run.resume() == ["execution.resumed"]
    assert run.finish("b")[-1] == "execution.failed"


def test_a_failure_may_end_it_in_a_pause() -> None:
    """The failure of the last step ends a paused execution."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.pause()
    assert run.finish("a", "failed")[-1] == "execution.failed"


def test_tolerated_failures_in_a_pause() -> None:
    """A paused execution can complete with errors."""
    run = Run(step("a", continue_on_failure=True))
    run.request()
    run.start("a")
    run.pause()
    assert run.finish("a", "failed")[-1] == "execution.completed_with_errors"


# Cancel


def test_a_cancel_waits_for_the_proof() -> None:
    """What is not started is cancelled at once, what runs is told to stop and must prove it."""
    run = Run(step("a"), step("b"), step("c", "a"))
    run.request()
    run.start("a")
    assert run.cancel("wrong host") == [
        "execution.cancelling",
        "step.cancelled",
        "step.cancelled",
        "step.stopping",
        "timer.set",
        "timer.set",
    ]
    assert run.statuses == {"a": "stopping", "b": "cancelled", "c": "cancelled"}
    proof = msg.Proof(gone=True, pids=(42,))
    assert run.finish("a", "cancelled", proof=proof) == ["step.cancelled", "execution.cancelled"]
    assert run.step("a").attempts[0].proof == proof
    assert run.step("a").reason == "wrong host"


def test_a_second_cancel_is_ignored() -> None:
    """Cancelling once is enough; the first reason stays."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.cancel()
    assert run.state.stop is not None
    assert run.state.stop.reason == "cancelled by unknown"
    assert run.cancel("again") == []


def test_a_cancel_in_a_pause() -> None:
    """A paused execution can be cancelled, and what waits for a retry keeps one record each."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.fail("a")
    run.pause()
    assert run.cancel()[-1] == "execution.cancelled"
    assert [a.outcome for a in run.step("a").attempts] == ["failed"]


def stopping(**fields: object) -> Run:
    run = Run(step("a", **fields))
    run.request()
    run.start("a")
    run.cancel("enough")
    return run


def test_a_step_may_complete_while_it_is_stopped() -> None:
    """A result that is faster than the order to stop counts; the execution is cancelled."""
    assert stopping().finish("a") == ["step.completed", "execution.cancelled"]


def test_a_bad_result_while_it_is_stopped() -> None:
    """A result that does not hold its criteria is a cancelled step, not a retried one."""
    run = stopping(success_criteria=["output.n > 1"], retry=RETRY)
    assert run.finish("a", output={"n": 0}) == ["step.cancelled", "execution.cancelled"]
    assert run.step("a").reason == "does not hold: `output.n > 1`"


def test_a_failure_while_it_is_stopped() -> None:
    """A failure of a step that is being stopped is its cancellation."""
    run = stopping(retry=RETRY)
    assert run.finish("a", "failed") == ["step.cancelled", "execution.cancelled"]


def test_a_deferral_while_it_is_stopped() -> None:
    """A step that begins to wait while it is stopped holds nothing: it is cancelled."""
    assert stopping().defer("a") == ["step.cancelled", "execution.cancelled"]


def test_a_loss_while_it_is_stopped() -> None:
    """A worker that dies while it stops leaves a loss in the history."""
    run = stopping(on_lost="rerun")
    assert run.lose("a") == ["step.lost", "step.cancelled", "execution.cancelled"]


def test_the_order_to_stop_is_repeated() -> None:
    """An agent that does not answer is told again, every few seconds."""
    run = stopping()
    assert run.state.timers["stop"].due_ms == run.now + STOP_AGAIN_MS
    for _ in range(2):
        assert run.fire("stop") == ["timer.cleared", "step.stopping", "timer.set"]


def test_stopping_has_a_limit() -> None:
    """An agent that never answers is given up, and the record says that there is no proof."""
    run = stopping()
    cancelled_at = run.now
    assert run.fire("stop-limit") == [
        "timer.cleared",
        "step.lost",
        "step.cancelled",
        "execution.cancelled",
    ]
    assert run.now == cancelled_at + STOP_LIMIT_MS
    (attempt,) = run.step("a").attempts
    assert attempt.outcome == "lost"
    assert attempt.proof == msg.Proof(gone=False, reason="agent a1 did not confirm within 60 s")


# Deadline


def test_a_deadline_stops_everything() -> None:
    """An execution that does not end in time is stopped, and fails with `timeout`."""
    run = Run(step("a"), policies={"timeout_s": 90})
    assert run.request()[2:] == ["timer.set", "step.scheduled"]
    run.start("a")
    assert run.fire("deadline")[:3] == ["timer.cleared", "execution.cancelling", "step.stopping"]
    assert run.the(ev.ExecutionCancelling).timed_out
    assert run.finish("a", "cancelled")[-1] == "execution.failed"
    assert run.state.failure == msg.Failure(
        code="timeout", message="did not end within its timeout of 90 s", retryable=False
    )


def test_a_deadline_during_a_cancel() -> None:
    """A deadline that comes while the execution is cancelled changes nothing."""
    run = Run(step("a"), policies={"timeout_s": 2})
    run.request()
    run.start("a")
    run.cancel()
    assert run.fire("deadline") == ["timer.cleared"]


def test_a_deadline_does_not_hide_a_failure() -> None:
    """An execution that is failing when its deadline comes keeps the failure as its reason."""
    run = Run(step("a"), step("b"), policies={"timeout_s": 90})
    run.request()
    run.start("b")
    run.fail("a")
    run.fire("deadline")
    run.finish("b", "cancelled")
    assert run.the(ev.ExecutionFailed).step == "a"
    failure = run.state.failure
    assert failure is not None
    assert failure.code == "exit_1"


# Timers


def test_unknown_and_old_timers_are_ignored() -> None:
    """A timer that is not set, or was set anew since, changes nothing."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.fail("a")
    old = run.state.timers["retry-a"].generation
    run.fire("retry-a")
    run.fail("a")
    assert run.tell(msg.TimerFired(timer="retry-a", generation=old)) == []
    assert run.tell(msg.TimerFired(timer="unheard-of", generation=1)) == []
