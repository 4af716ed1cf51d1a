"""Run now: what a step waits for is over when a person says so."""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.hurrying import why_not_now
from tests.unit.workflow.scenario import Run, step

RETRY = {"max_attempts": 2, "delay_s": 600}


def test_a_retry() -> None:
    """The next attempt is scheduled, and the timer cleared; the event says who and why."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.fail("a")
    assert run.run_now("a") == ["step.hurried", "timer.cleared", "step.scheduled"]
    hurried = run.the(ev.StepHurried)
    assert (hurried.by.id, hurried.reason, hurried.attempt) == ("olga", "no time", 1)
    assert run.step("a").attempt == 2
    assert not run.the(ev.StepScheduled).hurried


def test_the_next_round_of_until() -> None:
    """As if its delay were over."""
    run = Run(step("a", until={"condition": "output.n > 1", "max_rounds": 3, "delay_s": 600}))
    run.request()
    run.succeed("a", n=1)
    run.run_now("a")
    assert run.statuses["a"] == "scheduled"


def test_the_next_offer() -> None:
    """A step that no agent fits is offered again at once."""
    run = Run(step("a"))
    run.request()
    run.unplace("a")
    assert run.run_now("a") == ["step.hurried", "timer.cleared", "step.scheduled"]
    assert run.step("a").offer == 1


def test_the_delay_of_a_choice() -> None:
    """Nothing else came first."""
    options = [{"signal": "go", "then": ["b"]}, {"after_s": 600, "then": ["c"]}]
    run = Run({"id": "a", "wait_for": {"options": options}}, step("b"), step("c"))
    run.request()
    run.run_now("a")
    assert run.step("a").output["option"] == 1
    assert (run.statuses["b"], run.statuses["c"]) == ("skipped", "scheduled")


def test_a_deferred_attempt() -> None:
    """Its next leg says that the wait is over, also when it must be offered twice."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    run.defer("a", wake_at_ms=run.now + 600_000)
    assert run.run_now("a") == [
        "step.hurried",
        "timer.cleared",
        "step.scheduled",
        "execution.continued",
    ]
    assert (run.the(ev.StepScheduled).hurried, run.step("a").leg) == (True, 1)
    run.hand_back("a")
    assert run.the(ev.StepScheduled).hurried
    run.start("a")
    run.defer("a", key="again")
    assert not run.step("a").hurried
    run.wake("a", key="again")
    assert not run.the(ev.StepScheduled).hurried
    run.succeed("a")
    assert run.status == "completed"


def test_a_hurried_leg_that_fails_is_tried_again_from_the_start() -> None:
    """What was hurried is over with its attempt."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.start("a")
    run.defer("a")
    run.run_now("a")
    run.fail("a")
    assert not run.step("a").hurried


def test_during_a_pause_it_becomes_due() -> None:
    """And starts with the resumption."""
    run = Run(step("a", retry=RETRY))
    run.request()
    run.fail("a")
    run.pause()
    assert run.run_now("a") == ["step.hurried", "timer.cleared"]
    run.resume()
    assert run.statuses["a"] == "scheduled"


def test_what_cannot_be_hurried() -> None:
    """Nothing is due, or it waits for something else; an old request hurries nothing new."""
    run = Run(
        step("a", retry=RETRY), {"id": "w", "wait_for": {"options": [{"signal": "go"}]}}, step("c")
    )
    run.request()
    words = {name: why_not_now(run.program, run.state, name) or "" for name in ("a", "w", "z")}
    assert "waits for no delay" in words["a"]
    assert "send the signal" in words["w"]
    assert words["z"] == "there is no step z"
    for name in ("a", "w"):
        assert run.run_now(name) == []
    assert run.tell(msg.RunNowRequested(step="z", attempt=0)) == []
    run.fail("a")
    assert run.tell(msg.RunNowRequested(step="a", attempt=7)) == []
