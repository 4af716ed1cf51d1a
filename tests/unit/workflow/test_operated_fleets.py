"""What operators do to fleets: re-runs of the targets that failed, marks, breakpoints, run now."""

from __future__ import annotations

from shared.workflow import events as ev
from tests.unit.workflow.fleet_runs import begun, fleet
from tests.unit.workflow.reruns import FAILED, Again
from tests.unit.workflow.scenario import Run


def half_done() -> Run:
    """Batches of two: `a` completed, `b` failed, which stopped the rest."""
    run = fleet("a", "b", "c", "d", strategy="rolling", batch=2, stop_on=["first_failure"])
    run.succeed("s[0]", did="a")
    run.fail("s[1]", retryable=False)
    assert (run.statuses["s"], run.statuses["s[2]"]) == ("failed", "skipped")
    return run


def test_only_targets_that_failed_or_did_not_start_run_again() -> None:
    """By name, wherever they stand among the targets now; who joined runs, who left is gone."""
    again = Again(half_done(), FAILED)
    run = again.run
    assert run.types.count("step.planned") == 1
    run.target("s", "new", "b", "c", "a")
    assert run.statuses["s[3]"] == "completed"
    assert run.step("s[3]").output == {"did": "a"}
    assert run.step("s[3]").kept_from == "x1"
    assert begun(run, "scheduled") == ["new", "b"]
    for key in ("s[0]", "s[1]"):
        run.succeed(key)
    assert begun(run, "scheduled") == ["c"]
    run.succeed("s[2]")
    results = run.step("s").output["results"]
    assert [one["target"] for one in results if one["status"] == "completed"] == [
        "new",
        "b",
        "c",
        "a",
    ]
    assert run.statuses["end"] == "scheduled"
    again.check_replay()


def test_a_fleet_of_kept_targets_ends_at_once() -> None:
    """Where all that is left of the targets had completed."""
    again = Again(half_done(), FAILED)
    again.run.target("s", "a")
    assert (again.run.statuses["s"], again.run.statuses["end"]) == ("completed", "scheduled")


def test_a_fleet_is_marked() -> None:
    """Nothing of it begins any more, what runs is stopped; so with a pause between its batches."""
    run = fleet("a", "b", "c", strategy="rolling", batch=2, pause_between_s=600)
    run.start("s[0]")
    run.mark("s", output={"failed": 0})
    assert run.statuses["s[2]"] == "skipped"
    assert run.statuses["s"] == "expanded"
    run.finish("s[0]", "cancelled")
    assert (run.statuses["s"], run.statuses["end"]) == ("completed", "scheduled")
    paused = fleet("a", "b", strategy="rolling", batch=1, pause_between_s=600)
    paused.succeed("s[0]")
    assert "batch-s" in paused.state.timers
    paused.mark("s", output={"failed": 0})
    assert "batch-s" not in paused.state.timers
    asked = fleet()
    asked.mark("s", output={"failed": 0})
    assert asked.target("s", "a") == []


def test_a_pause_between_batches_is_ended() -> None:
    """The next batch begins at once."""
    run = fleet("a", "b", strategy="rolling", batch=1, pause_between_s=600)
    run.succeed("s[0]")
    assert run.run_now("s")[:2] == ["step.hurried", "timer.cleared"]
    assert run.the(ev.StepBatchStarted).batch == 2
    assert begun(run, "scheduled") == ["b"]


def test_a_target_can_be_paused_before() -> None:
    """By its instance, before the fleet knows its targets."""
    run = fleet()
    run.break_before("s[1]")
    run.target("s", "a", "b")
    assert run.the(ev.ExecutionPaused).step == "s[1]"
    assert begun(run, "scheduled") == ["a"]
    run.resume()
    assert begun(run, "scheduled") == ["a", "b"]


def test_a_gate_before_a_fleet_is_kept_for_the_same_targets() -> None:
    """People approved exactly these: with one more they are asked again."""
    for joined, asked in (((), False), (("e",), True)):
        again = Again(gated(), FAILED)
        again.run.target("s", "a", "b", *joined)
        assert ("approval.requested" in again.run.types) is asked


def gated() -> Run:
    """A fleet whose gate before everything was granted for `a` and `b`, and of which `b` failed
    before anything else was done."""
    rule = {"approval": {"allow_self_approval": True}}
    run = fleet("a", "b", step_fields=rule)
    run.vote("olga", "s")
    for key in ("s[0]", "s[1]"):
        run.fail(key, retryable=False)
    assert run.statuses["s"] == "failed"
    return run
