"""Executions that are rolled back: brought to their end, held, and told what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.captured import Captured
from shared.workflow.messages import ChildEnded, Parent, RollbackEnded, RollbackWanted
from shared.workflow.program import compile_template
from shared.workflow.rerunning import Past, sort_steps, why_not_rerun
from tests.simulation.checked import Transition
from tests.unit.workflow.fleet_runs import fleet
from tests.unit.workflow.reruns import FAILED
from tests.unit.workflow.scenario import Run, step, template

UNDO = {"command": "noop", "parameters": {"undo": True}}
ENDS = ("rolled_back", "rollback_incomplete", "rollback_failed")
CALL = {"id": "a", "workflow": {"template": "t", "version": "1.0.0"}}


def wanted(run: Run, number: int = 1, **fields: Any) -> list[str]:
    """Its rollback wants it to hold still."""
    said: dict[str, Any] = {"strategy": "graceful", "drain": True, **fields}
    return run.tell(RollbackWanted(number=number, **said))


def over(execution: Run, status: Any = "rolled_back", number: int = 1, **fields: Any) -> list[str]:
    """Its rollback is over."""
    return execution.tell(RollbackEnded(number=number, status=status, **fields))


def completed(**fields: Any) -> Run:
    """An execution of one step that completed."""
    run = Run(step("a"), **fields)
    run.request()
    run.succeed("a")
    return run


def failed(**policy: Any) -> Run:
    """An execution of one step that failed, with this policy of rollback."""
    run = Run(step("a", rollback=UNDO), policies={"rollback": policy})
    run.request()
    run.fail("a")
    return run


def undo_ways() -> set[Transition]:
    """Transitions of rollbacks."""
    seen: set[Transition] = set()
    for status in ENDS:
        run = completed()
        wanted(run)
        over(run, status)
        wanted(run, 2)
        over(run, "rolled_back", 2)
        seen |= run.seen
    tolerated = Run(step("a", continue_on_failure=True))
    tolerated.request()
    tolerated.fail("a")
    wanted(tolerated)
    cancelled = Run(step("a"), policies={"rollback": {"on_cancel": True}})
    cancelled.request()
    cancelled.cancel()
    wanted(cancelled)
    broken = failed(on_failure=True)
    wanted(broken)
    seen |= tolerated.seen | cancelled.seen | broken.seen | failed_fleet().seen
    waiting = Run(step("a", on_lost="ask"))
    waiting.request()
    waiting.start("a")
    waiting.lose("a")
    wanted(waiting)
    paused = Run(step("a"))
    paused.request()
    paused.start("a")
    paused.pause()
    wanted(paused)
    wanted(paused, 2, drain=False)
    calling = Run(CALL)
    calling.request()
    wanted(calling)
    calling.cancel()
    return seen | waiting.seen | paused.seen | calling.seen


def failed_fleet(*, tolerated: bool = False) -> Run:
    """A fleet that failed, and that has a way back."""
    fields = {"rollback": UNDO, "continue_on_failure": tolerated}
    run = Run(step("s", target={"where": "true"}, **fields))
    run.request()
    run.target("s", "a", "b")
    run.succeed("s[0]")
    run.fail("s[1]")
    return run


class TestHolding:
    def test_what_has_ended_is_held(self) -> None:
        """It is held at once, and moves no more until its rollback is over."""
        run = completed()
        assert wanted(run, strategy="checkpoint", to="x") == ["execution.rolling_back"]
        assert (run.status, run.state.ended, run.state.over) == ("rolling_back", False, True)
        assert wanted(run) == run.cancel() == run.pause() == []
        said: dict[str, Any] = {
            "undone": ("a",),
            "left": ("b: no way back",),
            "run": "ex_2",
            "reason": "why",
        }
        assert over(run, "rollback_incomplete", **said) == ["execution.rollback_incomplete"]
        rollback = run.state.rollback
        assert rollback is not None
        assert (rollback.undone, rollback.left, rollback.run) == (("a",), said["left"], "ex_2")
        assert (rollback.to, rollback.outcome, run.state.ended) == ("x", "why", True)

    def test_a_second_one_adds_to_what_is_undone(self) -> None:
        """What an earlier rollback undid stays known."""
        run = completed()
        wanted(run)
        over(run, undone=("a",))
        wanted(run, 2)
        assert over(run, undone=("b",), number=1) == []
        over(run, undone=("b",), number=2)
        assert run.state.rollback is not None
        assert run.state.rollback.undone == ("a", "b")
        assert over(run, number=2) == []

    def test_a_part_of_another_execution_is_not_held(self) -> None:
        """A sub-workflow is rolled back with the execution above all others."""
        run = Run(step("a"), policies={"rollback": {"on_failure": True}})
        parent = Parent(execution_id="x0", step="s", attempt=1, root="x0")
        run.tell(msg.ExecutionRequested(template_id="t", template_version="1.0.0", parent=parent))
        assert run.fail("a")[-1] == "execution.failed"
        assert wanted(run) == []

    def test_what_runs_may_finish(self) -> None:
        """A drained execution starts nothing new, ends when what ran has ended, and then is
        held."""
        run = Run(step("a"), step("b"), step("c", "a"))
        run.request()
        run.start("a")
        events = wanted(run, reason="wrong")
        assert events[:2] == ["execution.rollback_requested", "execution.cancelling"]
        assert run.statuses == {"a": "running", "b": "cancelled", "c": "cancelled"}
        assert wanted(run) == []
        assert run.finish("a") == ["step.completed", "execution.cancelled"]
        assert run.state.stop is not None
        assert run.state.stop.reason == "rolled back by unknown: wrong"
        assert wanted(run) == []
        assert wanted(run, again=True) == ["execution.rolling_back"]

    def test_a_cancellation_stops_what_may_finish(self) -> None:
        """Who cannot wait cancels: what runs is stopped after all, and only once."""
        run = Run(step("a"))
        run.request()
        run.start("a")
        wanted(run)
        assert run.tell(msg.CancelRequested(drain=True)) == []
        assert run.cancel()[:2] == ["execution.cancelling", "step.stopping"]
        assert run.cancel() == []
        assert run.finish("a", "cancelled")[-1] == "execution.cancelled"

    def test_an_immediate_one_stops_what_is_drained(self) -> None:
        """A rollback that shall not wait hastens an end that was to."""
        run = Run(step("a"))
        run.request()
        run.start("a")
        run.tell(msg.CancelRequested(drain=True))
        assert run.statuses == {"a": "running"}
        assert wanted(run, drain=False)[1:3] == ["execution.cancelling", "step.stopping"]

    def test_sub_workflows_are_drained_and_hastened_too(self) -> None:
        """What is called is told to end, and told again when it shall be quick."""
        run = Run(CALL)
        run.request()
        child = run.step("a").child
        assert child is not None
        assert wanted(run)[2:] == ["step.recalled"]
        assert run.cancel() == ["execution.cancelling", "step.recalled"]
        ended = ChildEnded(step="a", attempt=1, child=child, status="cancelled")
        assert run.tell(ended)[-1] == "execution.cancelled"


class TestPolicy:
    def test_a_failure_asks_for_a_rollback(self) -> None:
        """Where the policy says so the end of an execution asks for its rollback, once."""
        run = failed(on_failure=True, strategy="immediate")
        asked = run.the(ev.ExecutionRollbackRequested)
        assert (asked.number, asked.strategy, asked.steps) == (0, "immediate", ())
        assert asked.reason == "the execution failed"
        assert run.state.ended

    def test_no_policy_asks_for_none(self) -> None:
        """A failure without a policy, and a cancellation with one for failures, ask for nothing."""
        assert failed().types[-1] == "execution.failed"
        run = Run(step("a"), policies={"rollback": {"on_failure": True}})
        run.request()
        assert run.cancel()[-1] == "execution.cancelled"
        assert failed(on_failure=True, fleets=False).types[-1] == "execution.rollback_requested"

    def test_what_is_switched_off_is_never_rolled_back_by_itself(self) -> None:
        """`rollback_enabled: false` holds against every other policy."""
        policies = {"rollback_enabled": False, "rollback": {"on_failure": True}}
        run = Run(step("a"), policies=policies)
        run.request()
        assert run.fail("a")[-1] == "execution.failed"

    def test_a_fleet_that_failed_undoes_what_it_touched(self) -> None:
        """The targets of a failed fleet are undone by default, and nothing else is."""
        asked = failed_fleet().the(ev.ExecutionRollbackRequested)
        assert (asked.strategy, asked.steps, asked.reason) == ("graceful", ("s",), "s failed")
        assert failed_fleet(tolerated=True).types[-1] == "execution.completed_with_errors"

    def test_a_fleet_whose_files_were_kept_has_a_way_back(self) -> None:
        """What agents keep by themselves is a way back, too; without one nothing is undone."""
        captured = Captured(agent="a", items=1, files=1)
        for kept in (None, captured):
            run = fleet("a")
            run.start("s[0]")
            failure = msg.Failure(code="x", message="no", retryable=False)
            run.finish("s[0]", "failed", captured=kept, failure=failure)
            found = "execution.rollback_requested" in run.types
            assert found is (kept is not None)

    def test_a_fleet_is_left_alone_where_the_policy_says_so(self) -> None:
        """`fleets: false` undoes nothing by itself."""
        rollback = {"rollback": {"fleets": False}}
        run = Run(step("s", target={"where": "true"}, rollback=UNDO), policies=rollback)
        run.request()
        run.target("s", "a")
        assert run.fail("s[0]")[-1] == "execution.failed"


class TestFleetsOfSubWorkflows:
    """What a failed fleet touched is undone wherever in the tree of calls it is."""

    def failed_child(self, **policies: Any) -> msg.Failure:
        """The failure of a sub-workflow whose fleet failed."""
        run = Run(step("s", target={"where": "true"}, rollback=UNDO), policies=policies)
        parent = msg.Parent(execution_id="x0", step="c", attempt=1, root="x0", depth=1)
        run.request_with({}, parent=parent)
        run.target("s", "a", "b")
        run.succeed("s[0]")
        run.fail("s[1]")
        assert run.types[-1] == "execution.failed"  # it asks for nothing itself
        assert run.state.failure is not None
        return run.state.failure

    def caller(self, failure: msg.Failure, **fields: Any) -> Run:
        """What called it, and heard how it ended."""
        run = Run({**CALL, **fields})
        run.request()
        (key,) = run.state.steps
        run.tell(
            msg.ChildEnded(
                step=key,
                attempt=1,
                child=run.step(key).child or "",
                status="failed",
                failure=failure,
            )
        )
        return run

    def test_the_topmost_execution_asks_for_it(self) -> None:
        """By its path; and through several calls by a longer one."""
        failure = self.failed_child()
        assert failure.touched == ("s",)
        run = self.caller(failure)
        (call,) = run.state.steps
        asked = run.the(ev.ExecutionRollbackRequested)
        assert (asked.steps, asked.reason) == ((f"{call}/s",), f"{call}/s failed")
        deeper = failure.model_copy(update={"touched": ("inner/s",)})
        asked = self.caller(deeper).the(ev.ExecutionRollbackRequested)
        assert asked.steps == (f"{call}/inner/s",)

    def test_it_is_not_asked_for_where_somebody_said_so(self) -> None:
        """By the policy of either, or since the call may fail."""
        assert self.failed_child(rollback={"fleets": False}).touched == ()
        assert self.failed_child(rollback_enabled=False).touched == ()
        failure = self.failed_child()
        tolerated = self.caller(failure, continue_on_failure=True)
        assert tolerated.types[-1] == "execution.completed_with_errors"

    def test_an_execution_in_between_tells_it_on(self) -> None:
        """A sub-workflow that calls another one says what both touched."""
        run = Run(CALL)
        parent = msg.Parent(execution_id="x0", step="c", attempt=1, root="x0", depth=1)
        run.request_with({}, parent=parent)
        (key,) = run.state.steps
        child = run.step(key).child or ""
        failure = self.failed_child()
        run.tell(msg.ChildEnded(step=key, attempt=1, child=child, status="failed", failure=failure))
        assert run.state.failure is not None
        assert run.state.failure.touched == (f"{key}/s",)


class TestGivenValues:
    def test_an_item_brings_values_and_an_agent(self) -> None:
        """In a loop of a rollback's template, expressions see the values that the item brings, also
        under names that mean something else elsewhere, and it runs on the agent of the item."""
        run = given({"agent": "web-1", "values": {"params.x": 1, "output": {"n": 2}}})
        run.request(work=[run_item])
        scheduled = run.the(ev.StepScheduled)
        assert scheduled.parameters == {"x": 1, "n": 2}
        assert scheduled.requirement.agent == "web-1"
        run.start("a[0]", "web-1")
        run.finish("a[0]", output={"n": 3}, output_bytes=9)
        assert run.status == "completed"
        assert run.step("a").output["results"][0]["item"] == "web-1"

    @pytest.mark.parametrize("item", [1, {"agent": "a"}, {"values": 3}])
    def test_an_item_that_brings_none_fails_the_loop(self, item: Any) -> None:
        """An item that is no `{agent, values}` fails its loop."""
        run = given(item)
        assert run.request(work=[item])[-1] == "execution.failed"

    def test_authors_bring_none(self) -> None:
        """Only the templates of rollbacks may say so."""
        with pytest.raises(ValidationError, match=r"foreach\.given"):
            template(step("a", foreach={"items": "[1]", "given": ["params.x"]}))


run_item = {"agent": "web-1", "values": {"params.x": 1, "output": {"n": 2}}}


def given(_item: Any) -> Run:
    """An execution of a rollback's template with one loop."""
    loop = {"items": "params.work", "given": ["params.x", "output"]}
    parameters = {"x": "${{ params.x }}", "n": "${{ output.n }}"}
    run = Run(step("a"))
    run.template = template(
        step("a", foreach=loop, parameters=parameters, success_criteria=["output.n == 3"]),
        id="rollback.x1",
        parameters={"work": {"type": "array"}},
    )
    run.program = compile_template(run.template)
    return run


def test_what_is_drained_does_not_begin_to_wait() -> None:
    """What runs may finish; what would wait for something outside is cancelled instead."""
    run = Run(step("a"))
    run.request()
    run.start("a")
    wanted(run)
    assert run.defer("a") == ["step.deferred", "step.cancelled", "execution.cancelled"]
    assert run.step("a").attempts[-1].agent == "a1"


class TestAgain:
    def test_what_was_undone_runs_again(self) -> None:
        """After a rollback to a checkpoint a re-run keeps what was not undone."""
        run = Run(step("a"), step("b", "a"), step("c"))
        run.request()
        for name in ("a", "b", "c"):
            run.succeed(name)
        wanted(run, strategy="checkpoint", to="b")
        over(run, undone=("b",))
        sorting = sort_steps(Past(run.program, run.state), run.program, {}, FAILED, ())
        assert (sorting.kept, sorting.again) == (("a", "c"), {"b": "what it did was undone"})

    def test_the_run_of_a_rollback_is_not_run_again(self) -> None:
        """Another rollback is asked for instead."""
        run = given(run_item)
        run.request(work=[run_item])
        state = run.state.model_copy(update={"template_id": "rollback.x1"})
        why = why_not_rerun(Past(run.program, state), run.program, FAILED)
        assert why == "it is a rollback: roll the execution back once more instead"

    def test_one_that_is_being_cancelled_is_drained_as_it_is(self) -> None:
        """What is cancelled already comes to its end by itself."""
        run = Run(step("a"))
        run.request()
        run.start("a")
        run.cancel()
        assert wanted(run) == ["execution.rollback_requested"]


@pytest.mark.parametrize("end", ENDS)
def test_people_are_told_as_the_template_says(end: str) -> None:
    """Of each end of a rollback, and of its beginning; of nothing that is not named."""
    named = [{"on": [end], "severity": "critical"}, {"on": ["rolling_back"], "message": "go"}]
    run = completed(policies={"notifications": named})
    assert wanted(run, strategy="manual").count("notification.raised") == 1
    assert run.the(ev.NotificationRaised).message == "go"
    over(run, end, left=("a: not done",))
    told = run.the(ev.NotificationRaised)
    assert (told.severity, told.message) == ("critical", f"T: {end}, 1 left")
    wanted(run, number=2)
    other = next(one for one in ENDS if one != end)
    assert "notification.raised" not in over(run, other, number=2)


def test_people_are_told_that_they_are_awaited() -> None:
    """A rollback by hand says so as it begins, where the author wrote no message."""
    run = completed(policies={"notifications": [{"on": ["rolling_back"]}]})
    wanted(run, strategy="manual")
    assert run.the(ev.NotificationRaised).message == "T: rolling_back by hand, people are awaited"
