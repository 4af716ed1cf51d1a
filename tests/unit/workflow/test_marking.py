"""Steps that a person marks as done or failed, in every status in which that makes sense."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.failing import MAX_OUTPUT_BYTES
from shared.workflow.marking import why_not_marked
from tests.unit.workflow.scenario import Run, step


def at(status: str) -> Run:
    """A run whose step `a` has this status."""
    retry = {"max_attempts": 3, "delay_s": 60}
    run = Run(step("p"), step("a", "p", retry=retry, on_lost="ask"), step("b", "a"))
    run.request()
    if status == "pending":
        return run
    run.succeed("p")
    if status == "blocked":
        run.unplace("a")
    elif status == "retrying":
        run.fail("a")
    elif status == "lost":
        run.lose("a")
    elif status in ("running", "waiting"):
        run.start("a")
    if status == "waiting":
        run.defer("a", wake_at_ms=run.now + 5_000)
    assert run.statuses["a"] == status
    return run


@pytest.mark.parametrize(
    "status", ["pending", "scheduled", "blocked", "retrying", "lost", "waiting"]
)
class TestNothingRuns:
    """Nobody is at it: the mark decides at once."""

    def test_done(self, status: str) -> None:
        """It completes with the output that was given, and what waits for it goes on."""
        run = at(status)
        before = run.step("a").attempts
        run.mark("a", output={"n": 7})
        assert (run.statuses["a"], run.step("a").output) == ("completed", {"n": 7})
        marked = run.the(ev.StepMarked).mark
        assert (marked.by.id, marked.reason) == ("olga", "seen to it")
        assert run.step("a").mark == marked
        assert run.step("a").attempts[: len(before)] == before, "a recorded attempt changed"
        assert not [name for name in run.state.timers if name.endswith("-a")]
        assert run.statuses["b"] == "scheduled"

    def test_failed(self, status: str) -> None:
        """It fails for good, without another try, with the reason that was given."""
        run = at(status)
        run.mark("a", "failed")
        failure = run.step("a").failure
        assert failure is not None
        assert (failure.code, failure.message) == ("marked_failed", "seen to it")
        assert (run.statuses["a"], run.statuses["b"]) == ("failed", "skipped")

    def test_once(self, status: str) -> None:
        """What is decided stays so, also for whoever marks it again."""
        run = at(status)
        run.mark("a", output={"n": 7})
        assert run.mark("a", "failed") == []
        assert run.mark("nowhere") == []


def test_a_late_claim_is_refused() -> None:
    """Who was offered it and comes late is told to stop; so is its result ignored."""
    run = at("scheduled")
    run.mark("a")
    assert run.tell(msg.AttemptStarted(step="a", attempt=1, agent="slow", host="h")) == [
        "step.revoked"
    ]
    late = msg.AttemptFinished(step="a", attempt=1, agent="slow", outcome="failed")
    assert run.tell(late) == []


class TestItRuns:
    """What runs is stopped first."""

    def test_the_mark_decides_once_it_is_gone(self) -> None:
        """The agent proves that it is gone; the attempt is recorded as cancelled."""
        run = at("running")
        assert run.mark("a", output={"n": 1})[:2] == ["step.marked", "step.stopping"]
        assert run.statuses["a"] == "stopping"
        assert run.mark("a", "failed") == []
        run.finish("a", "cancelled", proof=msg.Proof(gone=True, pids=(7,)))
        step_now = run.step("a")
        assert (step_now.status.value, step_now.output) == ("completed", {"n": 1})
        [attempt] = step_now.attempts
        assert (attempt.outcome, attempt.proof) == ("cancelled", msg.Proof(gone=True, pids=(7,)))

    @pytest.mark.parametrize("outcome", ["failed", "timed_out", "cancelled"])
    def test_whatever_else_came_of_it(self, outcome: str) -> None:
        """A failure on the way is no failure of the step, and no retry follows."""
        run = at("running")
        run.mark("a", "failed", reason="")
        run.finish("a", outcome)
        failure = run.step("a").failure
        assert failure is not None
        assert (failure.code, failure.message) == ("marked_failed", "olga marked it as failed")

    def test_success_is_more_than_a_mark(self) -> None:
        """What had succeeded before the stop reached it has succeeded."""
        run = at("running")
        run.mark("a", "failed")
        assert run.finish("a", output={"n": 2}, output_bytes=7)[0] == "step.mark_voided"
        assert run.step("a").output == {"n": 2}
        assert (run.statuses["a"], run.step("a").mark) == ("completed", None)
        assert run.step("a").attempts[0].outcome == "completed"

    def test_a_round_of_until_is_no_success(self) -> None:
        """A condition that does not hold leaves the step undone: the mark decides."""
        until = {"condition": "output.n > 1", "max_rounds": 3}
        for n, status in ((1, "failed"), (2, "completed")):
            run = Run(step("a", until=until))
            run.request()
            run.start("a")
            run.mark("a", "failed")
            run.finish("a", output={"n": n}, output_bytes=7)
            assert run.statuses["a"] == status

    def test_it_is_lost(self) -> None:
        """The worker died: the loss is recorded, and the mark decides."""
        run = at("running")
        run.mark("a")
        assert run.lose("a")[:2] == ["step.lost", "step.completed"]
        assert [one.outcome for one in run.step("a").attempts] == ["lost"]

    def test_it_begins_to_wait(self) -> None:
        """It held no agent any more."""
        run = at("running")
        run.mark("a")
        run.defer("a")
        assert run.statuses["a"] == "completed"

    def test_the_agent_never_answers(self) -> None:
        """After a minute the mark decides, and the history says that there is no proof."""
        run = at("running")
        run.mark("a")
        run.fire("stop")
        run.fire("stop-limit")
        assert run.statuses["a"] == "completed"
        assert run.step("a").attempts[0].outcome == "lost"


def test_a_call_is_stopped_first() -> None:
    """The sub-workflow is told to stop; its end is that of the step, as marked."""
    run = Run({"id": "a", "workflow": {"template": "child", "version": "1.0.0"}}, step("b", "a"))
    run.request()
    child = run.step("a").child
    assert child is not None
    assert run.mark("a", output={"outputs": {}}) == ["step.marked", "step.recalled"]
    run.tell(msg.ChildEnded(step="a", attempt=1, child=child, status="cancelled"))
    assert (run.statuses["a"], run.statuses["b"]) == ("completed", "scheduled")


def test_a_loop_and_its_instances() -> None:
    """An instance can be marked; the loop, too: then nothing of it goes on."""
    run = Run(step("a", foreach={"items": "[1, 2, 3, 4]", "concurrency": 2}), step("b", "a"))
    run.request()
    run.mark("a[0]", output={"by": "hand"})
    assert run.step("a[0]").output == {"by": "hand"}
    run.start("a[1]")
    run.mark("a", output={"results": []})
    assert [run.statuses[f"a[{n}]"] for n in range(4)] == [
        "completed",
        "stopping",
        "cancelled",
        "skipped",
    ]
    assert run.statuses["a"] == "expanded"
    assert run.mark("a") == []
    run.finish("a[1]", "cancelled")
    assert (run.statuses["a"], run.step("a").output) == ("completed", {"results": []})
    assert run.statuses["b"] == "scheduled"


class TestRefusals:
    """What cannot be marked, in words."""

    def why(self, run: Run, name: str, verdict: Any = "completed", **fields: Any) -> str:
        asked = msg.MarkRequested(step=name, verdict=verdict, **fields)
        assert run.tell(asked) == []
        return why_not_marked(run.program, run.state, asked) or ""

    def test_before_the_approval(self) -> None:
        """Nothing was approved: nothing can be done of it."""
        run = Run(step("a"), policies={"approval_required": True})
        run.request()
        assert "awaits its approval" in self.why(run, "a")

    def test_what_has_ended_or_is_being_stopped(self) -> None:
        """A recorded outcome never changes."""
        run = at("running")
        assert "p is completed" in self.why(run, "p", "failed")
        run.cancel()
        assert "a is stopping" in self.why(run, "a")

    def test_what_decides_which_steps_run(self) -> None:
        """It may fail by hand; what it decides, a signal decides."""
        wait_for = {"options": [{"signal": "go", "then": ["b"]}]}
        run = Run({"id": "a", "wait_for": wait_for}, step("b"))
        run.request()
        assert "send what it waits for" in self.why(run, "a")
        run.mark("a", "failed")
        assert run.statuses["a"] == "failed"

    def test_outputs(self) -> None:
        """No secret in clear, and no more than an execution may hold."""
        run = Run(step("a", sensitive=["token"]))
        run.request()
        assert "token is sensitive" in self.why(run, "a", output={"token": "x"})
        assert "8 MiB" in self.why(run, "a", output={"x": "y" * MAX_OUTPUT_BYTES})


def test_during_a_pause() -> None:
    """The mark decides at once; what follows waits for the end of the pause."""
    run = at("scheduled")
    run.pause()
    run.mark("a")
    assert (run.statuses["a"], run.statuses["b"]) == ("completed", "pending")
    run.resume()
    assert run.statuses["b"] == "scheduled"


def test_an_open_gate_is_voided() -> None:
    """What a gate holds back and a person has done is not asked about any more."""
    run = Run(step("a", approval={}), step("b", "a"))
    run.request()
    run.mark("a")
    assert "approval.voided" in run.types
    assert run.statuses["b"] == "scheduled"
