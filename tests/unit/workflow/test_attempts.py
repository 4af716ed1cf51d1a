"""What is reported about attempts: claims, results, waits, losses, placement."""

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.attempts import MAX_LOST_RERUNS
from shared.workflow.failing import MAX_OUTPUT_BYTES
from tests.unit.workflow.scenario import Run, step

RETRY = {"max_attempts": 3, "delay_s": 2, "jitter": 0}


def started(*steps: dict[str, object]) -> Run:
    """A run of these steps, or of one step `a`, whose first one is running on agent `a1`."""
    run = Run(*(steps or (step("a"),)))
    run.request()
    run.start(next(iter(run.state.steps)))
    return run


def claim(agent: str, attempt: int = 1, leg: int = 0, name: str = "a") -> msg.AttemptStarted:
    return msg.AttemptStarted(step=name, attempt=attempt, leg=leg, agent=agent)


# Claims and late reports


def test_the_first_claim_counts() -> None:
    """A second agent that claims the same attempt is told to stop; the first one goes on."""
    run = started()
    assert run.tell(claim("a2")) == ["step.revoked"]
    assert run.step("a").agent == "a1"


def test_a_repeated_claim_is_ignored() -> None:
    """The same claim delivered twice changes nothing."""
    run = started()
    assert run.tell(claim("a1")) == []


def test_a_claim_of_an_unknown_step_is_ignored() -> None:
    """A claim for a step that the template does not have decides nothing."""
    assert started().tell(claim("a1", name="nowhere")) == []


def test_a_claim_after_the_cancel_is_revoked() -> None:
    """A claim that comes after the execution was cancelled is answered by an order to stop."""
    run = Run(step("a"))
    run.request()
    run.cancel()
    assert run.status == "cancelled"
    assert run.tell(claim("a1")) == ["step.revoked"]
    assert run.status == "cancelled"


def test_a_claim_of_an_old_attempt_is_revoked() -> None:
    """A claim of an attempt that was given up is revoked, whatever the step does now."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.fail("a")
    assert run.tell(claim("a2")) == ["step.revoked"]
    run.fire("retry-a")
    assert run.tell(claim("a1")) == ["step.revoked"]


def test_a_result_may_overtake_its_claim() -> None:
    """A result of a scheduled attempt counts, and stands for the claim that comes later."""
    run = Run(step("a"))
    run.request()
    assert run.finish("a") == ["step.started", "step.completed", "execution.completed"]
    assert run.tell(claim("a1")) == []


@pytest.mark.parametrize("attempt", [2, 9])
def test_results_of_other_attempts_are_ignored(attempt: int) -> None:
    """A result of an attempt that the step is not at changes nothing."""
    run = started()
    late = msg.AttemptFinished(step="a", attempt=attempt, outcome="failed")
    assert run.tell(late) == []


@pytest.mark.parametrize(
    "report",
    [
        msg.AttemptFinished(step="no", attempt=1, outcome="failed"),
        msg.AttemptDeferred(step="no", attempt=1, token="k"),
        msg.AttemptLost(step="no", attempt=1, reason=""),
        msg.AttemptReturned(step="no", attempt=1),
        msg.AttemptUnplaced(step="no", attempt=1, reason=""),
        msg.AttemptWoken(step="no", attempt=1, token="k"),
        msg.LostResolved(step="no", attempt=1, verdict="failed"),
    ],
)
def test_reports_of_unknown_steps_are_ignored(report: msg.AttemptFinished) -> None:
    """A report about a step that does not exist decides nothing."""
    assert started().tell(report) == []


# Checks and criteria


def test_criteria_that_hold_complete() -> None:
    """A step completes when its checks and criteria hold."""
    run = started(step("a", validation_checks=["has(output.n)"], success_criteria=["output.n > 1"]))
    run.finish("a", output={"n": 2})
    assert run.status == "completed"


@pytest.mark.parametrize(
    ("output", "code"),
    [({}, "output_invalid"), ({"n": 1}, "criteria_not_met"), ({"n": "x"}, "criteria_not_met")],
)
def test_criteria_that_do_not_hold_fail(output: dict[str, object], code: str) -> None:
    """A check, a criterion, or an expression that cannot be evaluated fails the attempt."""
    run = started(step("a", validation_checks=["has(output.n)"], success_criteria=["output.n > 1"]))
    run.finish("a", output=output)
    failure = run.step("a").failure
    assert failure is not None
    assert failure.code == code


def test_an_unnamed_failure_gets_a_name() -> None:
    """An attempt that failed without saying why fails with its outcome as the code."""
    run = started()
    run.finish("a", "timed_out")
    failure = run.state.failure
    assert failure == msg.Failure(code="timed_out", message="the attempt timed_out")


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_outputs_are_bounded(outcome: str) -> None:
    """All outputs of an execution together are bounded; what is too much is not kept."""
    run = Run(step("a", retry=RETRY), step("b"))
    run.request()
    run.start("a")
    run.finish("a", output_bytes=MAX_OUTPUT_BYTES)
    run.start("b")
    run.finish("b", outcome, output={"n": 1}, output_bytes=1)
    failure = run.step("b").failure
    assert failure is not None
    assert failure.code == "outputs_too_large"
    assert run.step("b").output == {}
    assert run.state.output_bytes == MAX_OUTPUT_BYTES


def test_outputs_of_failures_count() -> None:
    """What a failed step leaves behind is kept, and counts as output."""
    run = started(step("a", continue_on_failure=True), step("b", "a"))
    run.finish("a", "failed", output={"log": "x"}, output_bytes=11)
    assert run.step("a").output == {"log": "x"}
    assert run.state.output_bytes == 11


# Waiting outside


def test_a_deferred_step_goes_on_in_a_new_leg() -> None:
    """A deferred attempt is woken by its token, and its next leg knows the token."""
    run = started()
    assert run.defer("a") == ["step.deferred", "execution.waiting"]
    assert run.wake("a") == ["step.scheduled", "execution.continued"]
    scheduled = run.the(ev.StepScheduled)
    assert (scheduled.attempt, scheduled.leg, scheduled.token) == (1, 1, "k")
    run.succeed("a")
    assert [a.number for a in run.step("a").attempts] == [1]


def test_what_waits_counts_against_the_bound_of_outputs() -> None:
    """Outputs of waiting steps are bounded together with the final ones, so that every state can
    be stored: the step that would exceed the bound fails."""
    run = Run(step("a"), step("b", continue_on_failure=True))
    run.request()
    half = {"text": "x" * (MAX_OUTPUT_BYTES // 2)}
    for name in ("a", "b"):
        run.start(name)
        run.tell(msg.AttemptDeferred(step=name, attempt=1, token="k", output=half))
    assert run.step("a").status == "waiting"
    failure = run.step("b").failure
    assert failure is not None
    assert failure.code == "outputs_too_large"


def test_a_wrong_token_wakes_nobody() -> None:
    """A waiting step is woken only by its own token."""
    run = started()
    run.defer("a")
    assert run.wake("a", key="other") == []


def test_a_wake_timer_wakes() -> None:
    """A deferred attempt with a wake-up time goes on when it comes."""
    run = started()
    assert run.defer("a", wake_at_ms=run.now + 500)[:2] == ["step.deferred", "timer.set"]
    assert run.fire("wake-a") == ["timer.cleared", "step.scheduled", "execution.continued"]


def test_being_woken_clears_the_timer() -> None:
    """A step that is woken before its wake-up time does not wake a second time."""
    run = started()
    run.defer("a", wake_at_ms=run.now + 500)
    timer = run.state.timers["wake-a"]
    assert run.wake("a")[:2] == ["timer.cleared", "step.scheduled"]
    assert run.tell(msg.TimerFired(timer="wake-a", generation=timer.generation)) == []


def test_a_wake_before_the_wait_is_remembered() -> None:
    """An answer that is faster than the runner's report that it waits is not lost."""
    run = started()
    assert run.wake("a") == ["step.woken"]
    assert run.wake("a") == []
    assert run.defer("a", wake_at_ms=run.now + 500) == ["step.deferred", "step.scheduled"]
    assert run.step("a").woken is None


def test_a_wake_for_another_wait_is_not_mistaken() -> None:
    """A remembered answer wakes only the wait with its own token."""
    run = started()
    run.wake("a", key="other")
    assert run.defer("a") == ["step.deferred", "execution.waiting"]


def test_a_deferral_may_overtake_its_claim() -> None:
    """A deferral of a scheduled attempt stands for its claim."""
    run = Run(step("a"))
    run.request()
    assert run.defer("a") == ["step.started", "step.deferred", "execution.waiting"]


def test_a_wake_timer_of_an_ended_step_is_only_cleared() -> None:
    """A wake-up that comes when the step no longer waits changes nothing else."""
    run = Run(step("a"), step("b"))
    run.request()
    run.start("a")
    run.defer("a", wake_at_ms=run.now + 10_000)
    run.start("b")
    run.fail("b")
    assert run.status == "failed"
    run = Run(step("a"), step("b"), step("c"))
    run.request()
    run.start("a")
    run.defer("a", wake_at_ms=run.now + 10_000)
    run.start("c")
    run.cancel()
    assert run.fire("wake-a") == ["timer.cleared"]


# Lost


def test_a_lost_step_fails() -> None:
    """A step whose worker died fails, and the loss stays in the history."""
    run = started(step("a", retry=RETRY))
    assert run.lose("a") == ["step.lost", "step.failed", "execution.failing", "execution.failed"]
    (attempt,) = run.step("a").attempts
    assert (attempt.outcome, attempt.agent) == ("lost", "a1")
    failure = run.state.failure
    assert failure is not None
    assert failure.message == "its outcome is unknown: the worker died"


def test_a_lost_idempotent_step_runs_again() -> None:
    """An idempotent step runs again, without using up its retries, but not for ever."""
    run = started(step("a", idempotent=True))
    for _ in range(MAX_LOST_RERUNS):
        assert run.lose("a") == ["step.lost", "step.retrying", "step.scheduled"]
        run.start("a")
    assert run.lose("a")[:2] == ["step.lost", "step.failed"]
    assert "(lost 11 times)" in str(run.state.failure)


def test_a_task_that_was_never_claimed_can_be_lost() -> None:
    """A loss counts for an attempt whose claim is not known."""
    run = Run(step("a", on_lost="rerun"))
    run.request()
    assert run.lose("a") == ["step.lost", "step.retrying", "step.scheduled"]


def test_a_blocked_step_can_be_lost() -> None:
    """A loss counts for an attempt that was thought to have found no agent."""
    run = Run(step("a", on_lost="rerun"))
    run.request()
    run.unplace("a")
    assert run.lose("a")[:3] == ["timer.cleared", "step.lost", "step.retrying"]
    assert run.unplace("a") == ["step.blocked", "timer.set"]


def test_a_late_loss_is_ignored() -> None:
    """A loss of an attempt that has ended, or of another one, changes nothing."""
    run = started(step("a"), step("b"))
    run.finish("a")
    assert run.lose("a") == []
    assert run.tell(msg.AttemptLost(step="b", attempt=2, reason="")) == []


def asked() -> Run:
    run = started(step("a", on_lost="ask", retry=RETRY))
    assert run.lose("a") == ["step.lost", "execution.waiting"]
    assert run.step("a").reason == "the worker died"
    return run


def test_a_person_says_that_it_completed() -> None:
    """A lost step that a person calls completed takes the output that the person gives."""
    run = asked()
    assert run.resolve("a", "completed", output={"n": 1})[0] == "step.completed"
    assert (run.status, run.step("a").output, run.state.output_bytes) == ("completed", {"n": 1}, 7)
    assert [a.outcome for a in run.step("a").attempts] == ["lost"]


@pytest.mark.parametrize(
    ("reason", "message"), [("", "unknown marked the lost attempt as failed"), ("gone", "gone")]
)
def test_a_person_says_that_it_failed(reason: str, message: str) -> None:
    """A lost step that a person calls failed fails with the person's reason."""
    run = asked()
    run.resolve("a", "failed", reason=reason)
    failure = run.state.failure
    assert failure is not None
    assert failure.message == message


def test_a_person_says_that_it_runs_again() -> None:
    """A lost step runs again when a person says so."""
    run = asked()
    assert run.resolve("a", "rerun") == ["step.retrying", "step.scheduled", "execution.continued"]
    assert run.step("a").attempt == 2


def test_a_verdict_needs_a_loss() -> None:
    """A verdict about a step that is not lost, or about another attempt, changes nothing."""
    assert started().resolve("a", "failed") == []
    assert asked().tell(msg.LostResolved(step="a", attempt=9, verdict="failed")) == []


def test_the_lost_worker_may_still_answer() -> None:
    """A result of a lost attempt counts while nobody has decided about it."""
    run = asked()
    assert run.finish("a")[0] == "step.completed"
    assert run.status == "completed"


def test_the_lost_worker_may_still_fail() -> None:
    """A failure of a lost attempt is tried again like any other; its record stays `lost`."""
    run = asked()
    assert run.finish("a", "failed") == ["step.retrying", "timer.set", "execution.continued"]
    assert [a.outcome for a in run.step("a").attempts] == ["lost"]


def test_a_lost_worker_cannot_defer() -> None:
    """A lost attempt that says it waits stays lost: a person was asked about it."""
    assert asked().defer("a") == []


def test_a_loss_after_a_failure_is_not_repeated() -> None:
    """While the execution fails, a lost step is not run again."""
    run = started(step("a", idempotent=True), step("b"))
    run.fail("b")
    assert run.lose("a") == ["step.lost", "step.cancelled", "execution.failed"]


def test_a_verdict_after_a_failure_repeats_nothing() -> None:
    """While the execution fails, a person's `rerun` gives the lost step up."""
    run = started(step("a", on_lost="ask"), step("b"), step("c"))
    run.lose("a")
    run.start("c")
    run.fail("b")
    assert run.resolve("a", "rerun") == ["step.retrying", "step.cancelled"]
    assert [a.outcome for a in run.step("a").attempts] == ["lost"]


# Placement


def test_a_returned_task_is_offered_again() -> None:
    """What comes back unclaimed is offered again, as the same leg of the same attempt."""
    run = Run(step("a"))
    run.request()
    assert run.hand_back("a") == ["step.scheduled"]
    assert (run.step("a").attempt, run.step("a").leg, run.step("a").offer) == (1, 0, 1)


def test_a_claim_of_an_earlier_offer_counts() -> None:
    """An agent that claims the first offer after it was offered again has it; no other does."""
    run = Run(step("a"))
    run.request()
    run.hand_back("a")
    assert run.tell(claim("slow")) == ["step.started"]
    assert run.tell(claim("quick")) == ["step.revoked"]
    assert run.step("a").agent == "slow"


def test_a_report_about_an_earlier_offer_is_late() -> None:
    """That nobody fits, or that a task came back, counts for the newest offer only."""
    run = Run(step("a"))
    run.request()
    run.hand_back("a")
    assert run.tell(msg.AttemptReturned(step="a", attempt=1)) == []
    assert run.tell(msg.AttemptUnplaced(step="a", attempt=1, reason="nobody fits")) == []


def test_the_second_report_of_what_ran_twice_is_ignored() -> None:
    """Of two agents that ran an unclaimed leg the first report counts."""
    run = Run(step("a", idempotent=True))
    run.request()
    run.finish("a", agent="a7")
    assert run.finish("a", "failed", agent="a8") == []
    assert run.step("a").agent == "a7"


def test_an_unclaimed_leg_can_be_woken_before_it_waits() -> None:
    """An answer that is faster than the report of the agent that asks is remembered, also while
    the leg is offered again."""
    run = Run(step("a", idempotent=True))
    run.request()
    assert run.wake("a") == ["step.woken"]
    run.hand_back("a")
    assert run.defer("a") == ["step.started", "step.deferred", "step.scheduled"]
    assert run.step("a").leg == 1


def test_a_resumed_leg_is_a_first_offer() -> None:
    """Offers are counted within a leg."""
    run = Run(step("a"))
    run.request()
    run.hand_back("a")
    run.start("a")
    run.defer("a")
    run.wake("a")
    assert (run.step("a").leg, run.step("a").offer) == (1, 0)


def test_a_running_task_cannot_be_returned() -> None:
    """Handing back what was started is ignored: its outcome is still to come."""
    assert started().hand_back("a") == []


def test_a_step_that_nobody_fits_is_blocked_and_tried_again() -> None:
    """An unplaced step is blocked, offered again, and claimed when somebody fits."""
    run = Run(step("a"))
    run.request()
    assert run.unplace("a") == ["step.blocked", "timer.set"]
    assert run.step("a").reason == "nobody fits"
    assert run.fire("place-a") == ["timer.cleared", "step.scheduled"]
    assert run.start("a") == ["step.started"]


def test_a_blocked_step_can_be_claimed() -> None:
    """An agent that appears and claims a blocked step gets it."""
    run = Run(step("a"))
    run.request()
    run.unplace("a")
    assert run.start("a") == ["step.started", "timer.cleared"]


def test_nobody_fits_in_time() -> None:
    """A step that no agent fits within its start timeout fails with `no_agent`."""
    run = Run(step("a", start_timeout_s=3, retry=RETRY))
    run.request()
    due = []
    for _ in range(2):
        run.unplace("a")
        due.append(run.state.timers["place-a"].due_ms)
        run.fire("place-a")
    assert due[1] == run.step("a").scheduled_at_ms + 3_000
    assert run.unplace("a") == ["step.failed", "execution.failing", "execution.failed"]
    failure = run.state.failure
    assert failure is not None
    assert failure.code == "no_agent"


def test_a_late_unplaced_is_ignored() -> None:
    """A running step cannot become unplaced."""
    assert started().unplace("a") == []


def test_a_place_timer_of_a_running_step_is_stale() -> None:
    """The placement's timer is cleared by the claim, so that a late one changes nothing."""
    run = Run(step("a"))
    run.request()
    run.unplace("a")
    timer = run.state.timers["place-a"]
    run.start("a")
    assert run.tell(msg.TimerFired(timer="place-a", generation=timer.generation)) == []
