"""Re-runs: what is kept, what runs again and why, and how the new execution begins."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.kept import StepPlan
from shared.workflow.rerunning import (
    Wish,
    why_not_rerun,
)
from tests.unit.workflow.reruns import FAILED, OLGA, Again, chain, past_of, same
from tests.unit.workflow.scenario import Run, step
from tests.unit.workflow.test_rerun_parts import TestLoops


def test_what_failed_runs_again_with_earlier_outputs() -> None:
    """What completed is kept in the first turn, its output and attempts as they were."""
    before = chain()
    again = Again(before, FAILED)
    run = again.run
    assert again.sorting.kept == ("a",)
    assert again.sorting.again == {"b": "it failed"}
    assert again.sorting.anew == ("c",)
    assert run.types[:2] == ["execution.created", "step.kept"]
    kept = run.step("a")
    assert (kept.status.value, kept.output, kept.kept_from) == ("completed", {"n": 7}, "x1")
    assert kept.attempts == before.step("a").attempts
    assert run.the(ev.StepScheduled).step == "b"
    assert run.the(ev.StepScheduled).parameters == {"n": 7}
    assert run.state.rerun is not None
    assert (run.state.rerun.execution_id, run.state.rerun.by, run.state.rerun.reason) == (
        "x1",
        OLGA,
        "again",
    )
    run.succeed("b")
    run.succeed("c")
    assert (run.status, run.state.outputs) == ("completed", {"n": 7})
    again.check_replay()


def test_a_re_run_of_a_re_run_names_where_it_was_run() -> None:
    """However often it is kept."""
    first = Again(chain(), FAILED)
    first.run.fail("b", retryable=False)
    second = Again(first.run, FAILED)
    assert second.run.step("a").kept_from == "x1"
    assert second.rerun.of == "x1again"


def test_from_a_step_everything_behind_it_runs_again() -> None:
    """What completed beside it is kept, and a failure that was tolerated."""
    run = Run(
        step("a"),
        step("t", continue_on_failure=True),
        step("b", "a"),
        step("c", "b"),
        step("d", "t"),
        step("s", when="false"),
    )
    run.request()
    run.fail("t", retryable=False)
    for name in ("a", "b", "c", "d"):
        run.succeed(name)
    assert run.status == "completed_with_errors"
    again = Again(run, Wish(from_step="b"))
    assert again.sorting.kept == ("a", "t", "d")
    assert again.sorting.again == {
        "b": "the re-run begins with it",
        "c": "it comes after b, which runs again",
    }
    assert again.sorting.anew == ("s",)
    assert again.run.statuses == {
        "a": "completed",
        "t": "failed",
        "b": "scheduled",
        "c": "pending",
        "d": "completed",
        "s": "skipped",
    }
    again.run.succeed("b")
    again.run.succeed("c")
    assert again.run.status == "completed_with_errors"
    again.check_replay()
    failed = Again(run, FAILED)
    assert failed.sorting.again == {"t": "it failed"}, "only what failed: order alone is no reason"


def test_everything_runs_again_without_a_wish() -> None:
    """Nothing is kept."""
    again = Again(chain(), Wish())
    assert again.sorting.kept == ()
    assert again.sorting.again["a"] == "everything runs again"
    assert again.run.the(ev.StepScheduled).step == "a"


def test_what_differs_in_a_newer_version_runs_again() -> None:
    """And what uses it; limits and retries make no difference to what has completed."""
    before = chain()
    changed = Again(
        before,
        FAILED,
        step("a", parameters={"echo": 1}),
        step("b", "a", parameters={"n": "${{ steps.a.output.n }}"}),
        step("new"),
        step("c", "b"),
        version="1.1.0",
    )
    assert changed.sorting.kept == ()
    assert changed.sorting.again == {
        "a": "its definition differs: parameters",
        "b": "it comes after a, which runs again",
        "new": "it is new in this version",
    }
    limits = Again(
        before,
        FAILED,
        step("a", timeout_s=7, retry={"max_attempts": 5}, description="A"),
        step("b", "a", timeout_s=9, parameters={"n": "${{ steps.a.output.n }}"}),
        version="1.2.0",
    )
    assert limits.sorting.kept == ("a",)


def test_what_uses_an_input_that_changed_runs_again() -> None:
    """An earlier output is kept only where the same inputs led to it."""
    parameters = {"n": {"type": "integer", "default": 1}, "m": {"type": "integer", "default": 1}}
    run = Run(
        step("a", parameters={"n": "${{ params.n }}"}),
        step("u", when="params.m == 1"),
        step("b", "a"),
        step("x", "b"),
        parameters=parameters,
    )
    run.request(n=1, m=1)
    for name in ("a", "u", "b"):
        run.succeed(name)
    run.fail("x", retryable=False)
    again = Again(run, Wish(from_step="x"), parameters={"n": 2, "m": 1})
    assert again.sorting.kept == ("u",)
    assert again.sorting.again["a"] == "it uses the input n, which changed"
    assert again.sorting.again["b"] == "it comes after a, which runs again"
    same = Again(run, Wish(from_step="x"), parameters={"n": 1, "m": 2})
    assert same.sorting.kept == ("a", "b")


def test_branches_are_decided_anew_and_lead_where_they_led() -> None:
    """A kept switch sends where it sent; a handler that a failure began does not stay."""
    cases = [{"when": "true", "then": ["left"]}]
    run = Run(
        {"id": "s", "switch": {"cases": cases, "else": ["right"]}},
        step("left", "s"),
        step("right", "s"),
        step("e", "left", on_failure=["h"]),
        step("h", "e"),
    )
    run.request()
    run.succeed("left")
    run.fail("e", retryable=False)
    run.succeed("h")
    again = Again(run, FAILED)
    assert again.sorting.kept == ("s", "left")
    assert again.sorting.again == {"e": "it failed", "h": "it comes after e, which runs again"}
    assert again.run.statuses["right"] == "skipped"
    again.run.succeed("e")
    assert (again.run.statuses["h"], again.run.status) == ("skipped", "completed")


def test_a_region_that_a_kept_step_cancels_stays_cancelled() -> None:
    """What was stopped on purpose was not left undone."""
    run = Run(
        step("a"),
        step("r", region="r"),
        step("f", region="r", continue_on_failure=True),
        step("j", "a", "r", join="any", cancels=["r"]),
        step("x", "j"),
        step("w", region="other"),
    )
    run.request()
    run.start("w")
    run.fail("f", retryable=False)
    run.start("r")
    run.succeed("a")
    run.succeed("j")
    run.finish("r", "cancelled")
    run.tell(msg.RegionCancelRequested(region="other"))
    run.finish("w", "cancelled")
    run.fail("x", retryable=False)
    assert (run.status, run.statuses["r"], run.statuses["w"]) == (
        "failed",
        "cancelled",
        "cancelled",
    )
    again = Again(run, FAILED)
    assert again.sorting.anew == ("r",)
    assert again.sorting.again == {"f": "it failed", "w": "it was cancelled", "x": "it failed"}
    assert again.run.statuses["r"] == "cancelled"
    assert "r" not in [e.step for e in again.run.events if isinstance(e, ev.StepScheduled)]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(from_step="nowhere"), "has no step 'nowhere'"),
        (Wish(from_step="f"), "runs only when something fails"),
        (FAILED, "nothing of it failed"),
    ],
)
def test_what_cannot_be_run_again(wish: Wish, said: str) -> None:
    """The words for each case."""
    run = Run(step("a"), on_failure=[step("f")])
    run.request()
    assert "has not ended" in (why_not_rerun(past_of(run), run.program, FAILED) or "")
    run.succeed("a")
    assert said in (why_not_rerun(past_of(run), run.program, wish) or "")
    assert why_not_rerun(past_of(run), run.program, Wish(from_step="a")) is None


def test_what_a_newer_version_dropped_is_left_out() -> None:
    """A request that names steps which are not there begins all the same."""
    rerun = Again(chain(), FAILED).rerun
    plans = (StepPlan(step="dropped"),)
    run = Run(step("b"))
    run.request_with({}, rerun=rerun.model_copy(update={"plans": plans}))
    assert run.statuses == {"b": "scheduled"}


def test_what_is_kept_twice_is_kept_once() -> None:
    """A step that has begun, or is kept, is neither kept nor planned."""
    rerun = Again(TestLoops().failed(), FAILED).rerun
    twice = rerun.model_copy(
        update={
            "kept": rerun.kept * 2,
            "plans": (*rerun.plans, rerun.plans[0].model_copy(update={"step": "g"})),
        }
    )
    run = same(TestLoops().failed())
    run.request_with({}, rerun=twice)
    assert run.types.count("step.kept") == 3  # g, a[0], a[2]


def test_steps_of_sections_are_never_kept() -> None:
    """They belong to the end of every execution."""
    sections: dict[str, Any] = {"finally": [step("z")]}
    run = Run(step("a"), step("b", "a"), **sections)
    run.request()
    run.succeed("a")
    run.fail("b", retryable=False)
    run.succeed("z")
    again = Again(run, FAILED, step("a"), step("b", "a"), **sections)
    assert again.sorting.kept == ("a",)
    again.run.succeed("b")
    assert again.run.statuses["z"] == "scheduled"
