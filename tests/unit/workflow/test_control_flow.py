"""Branches, joins, loops, choices, handlers, regions and sub-workflows."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.errors import DefinitionError
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import Run, step, template


def switch(
    name: str, *cases: tuple[str, str], otherwise: str = "", **fields: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {"cases": [{"when": when, "then": [then]} for when, then in cases]}
    if otherwise:
        made["else"] = [otherwise]
    return {"id": name, "switch": made | fields.pop("more", {}), **fields}


class TestBranches:
    def test_else_runs_when_the_condition_is_false(self) -> None:
        """A false condition skips its step and what follows it, and runs the `else` steps."""
        run = Run(
            step("a", when="false", **{"else": ["b"]}),
            step("after_a", "a"),
            step("b"),
            step("end", "after_a", "b"),
        )
        run.request()
        assert run.statuses == {
            "a": "skipped",
            "after_a": "skipped",
            "b": "scheduled",
            "end": "pending",
        }
        run.succeed("b")
        run.succeed("end")
        assert run.status == "completed"

    def test_else_is_dead_when_the_condition_is_true(self) -> None:
        """A true condition runs its step, and the `else` steps are skipped."""
        run = Run(step("a", when="true", **{"else": ["b"]}), step("b"), step("end", "a", "b"))
        run.request()
        run.succeed("a")
        assert run.step("b").reason == "its branch was not taken"
        run.succeed("end")
        assert run.status == "completed"

    def test_the_first_case_that_holds_is_taken(self) -> None:
        """A switch takes the branch of its first case that holds, and no other."""
        run = Run(
            switch("route", ("false", "a"), ("true", "b"), ("true", "c"), otherwise="d"),
            *(step(name) for name in "abcd"),
        )
        run.request()
        assert run.step("route").output == {"cases": [1], "taken": ["b"]}
        assert [n for n, s in run.statuses.items() if s == "scheduled"] == ["b"]

    def test_every_case_that_holds_is_taken(self) -> None:
        """With `match: every` all cases that hold are taken (multi-choice)."""
        run = Run(
            switch("route", ("true", "a"), ("false", "b"), ("true", "c"), more={"match": "every"}),
            *(step(name) for name in "abc"),
        )
        run.request()
        assert run.step("route").taken == ("a", "c")

    def test_else_of_a_switch(self) -> None:
        """Where no case holds the `else` of a switch is taken."""
        run = Run(switch("route", ("false", "a"), otherwise="b"), step("a"), step("b"))
        run.request()
        assert run.statuses == {"route": "completed", "a": "skipped", "b": "scheduled"}

    def test_a_case_that_fails(self) -> None:
        """A case that cannot be evaluated fails the switch, and the execution."""
        run = Run(
            step("z"),
            switch("route", ("1 / params.n == 1", "a"), depends_on=["z"]),
            step("a"),
            parameters={"n": {"type": "integer"}},
        )
        run.request(n=0)
        run.succeed("z")
        assert run.status == "failed"

    def test_unknown_targets_are_problems(self) -> None:
        """A branch to a step that is not there is named where it stands."""
        with pytest.raises(DefinitionError) as caught:
            compile_template(template(switch("route", ("true", "nope"))))
        assert caught.value.problems[0].path == "steps/0/switch/cases/0/then"


class TestJoins:
    def test_discriminator(self) -> None:
        """With `join: any` a step starts with the first that completes, and only once."""
        run = Run(step("a"), step("b"), step("end", "a", "b", join="any"))
        run.request()
        run.succeed("b")
        assert run.statuses["end"] == "scheduled"
        run.succeed("end")
        run.succeed("a")
        assert run.status == "completed"

    def test_two_of_three(self) -> None:
        """With a number so many must have completed."""
        run = Run(step("a"), step("b"), step("c"), step("end", "a", "b", "c", join=2))
        run.request()
        run.succeed("a")
        assert run.statuses["end"] == "pending"
        run.succeed("c")
        assert run.statuses["end"] == "scheduled"

    def test_out_of_reach(self) -> None:
        """A join that can no longer be met skips its step."""
        run = Run(
            step("a", continue_on_failure=True),
            step("b", when="false"),
            step("end", "a", "b", join="any"),
        )
        run.request()
        run.fail("a", retryable=False)
        assert run.step("end").reason.startswith("only 0 of the 1")
        assert run.status == "completed_with_errors"


class TestLoops:
    def loop(self, items: str = "params.items", **foreach: Any) -> Run:
        return Run(
            step("a", foreach={"items": items, **foreach}, parameters={"n": "${{ item }}"}),
            step("end", "a", parameters={"all": "${{ steps.a.output.results }}"}),
            parameters={
                "items": {"type": "array", "default": []},
                "map": {"type": "object", "default": {}},
            },
        )

    def test_one_instance_for_each_item(self) -> None:
        """A loop runs its step once for each item, and its output tells of each."""
        run = self.loop()
        run.request(items=["x", "y"])
        parameters = [e.parameters for e in run.events if isinstance(e, ev.StepScheduled)]
        assert parameters == [{"n": "x"}, {"n": "y"}]
        run.succeed("a[0]", v=1)
        run.succeed("a[1]", v=2)
        assert run.step("a").output["completed"] == 2
        assert [r["output"] for r in run.step("a").output["results"]] == [{"v": 1}, {"v": 2}]
        run.succeed("end")
        assert run.status == "completed"

    def test_a_map_gives_keys(self) -> None:
        """Of a map each instance knows its key."""
        run = self.loop("params.map")
        run.request(map={"k": "v"})
        assert run.step("a[0]").instance == msg.Instance(index=0, key="k", item="v")

    def test_no_items(self) -> None:
        """A loop over nothing completes at once."""
        run = self.loop()
        run.request(items=[])
        assert run.step("a").output == {"total": 0, "completed": 0, "failed": 0, "results": []}

    def test_the_cap_holds(self) -> None:
        """Never more instances than `concurrency` are under way."""
        run = self.loop(concurrency=2)
        run.request(items=[1, 2, 3])
        assert run.statuses["a[2]"] == "pending"
        run.succeed("a[0]")
        assert run.statuses["a[2]"] == "scheduled"

    def test_failures_beyond_the_bound(self) -> None:
        """Once too many failed nothing more starts, and the step fails when all has ended."""
        run = self.loop(concurrency=2, max_failures=0)
        run.request(items=[1, 2, 3])
        run.fail("a[0]", retryable=False)
        assert run.statuses["a[2]"] == "skipped"
        assert run.statuses["a"] == "expanded"
        run.succeed("a[1]")
        assert run.statuses["a"] == "failed"
        assert run.status == "failed"

    def test_tolerated_failures(self) -> None:
        """Up to `max_failures` instances may fail."""
        run = self.loop(max_failures=1)
        run.request(items=[1, 2])
        run.fail("a[0]", retryable=False)
        run.succeed("a[1]")
        assert run.step("a").output["failed"] == 1
        assert run.statuses["a"] == "completed"

    def test_an_instance_is_tried_again(self) -> None:
        """Retries are each instance's own."""
        run = Run(step("a", foreach={"items": "[1]"}, retry={"max_attempts": 2, "delay_s": 1}))
        run.request()
        run.fail("a[0]")
        run.fire("retry-a[0]")
        run.succeed("a[0]")
        assert run.status == "completed"

    def test_partial_join_cancels_the_rest(self) -> None:
        """A partial join ends the loop; with `cancel_rest` what still runs is stopped."""
        run = self.loop(join=1, cancel_rest=True, concurrency=2)
        run.request(items=[1, 2, 3])
        run.start("a[1]")
        run.succeed("a[0]")
        assert (run.statuses["a"], run.statuses["a[1]"]) == ("completed", "stopping")
        assert run.statuses["a[2]"] == "skipped"
        run.finish("a[1]", "cancelled")
        assert run.statuses["a[1]"] == "cancelled"
        run.succeed("end")
        assert run.status == "completed"

    def test_partial_join_lets_the_rest_run(self) -> None:
        """Without `cancel_rest` the execution ends when what still runs has ended."""
        run = self.loop(join="any")
        run.request(items=[1, 2])
        run.succeed("a[0]")
        run.succeed("end")
        assert run.status == "running"
        run.succeed("a[1]")
        assert run.status == "completed"

    def test_a_join_out_of_reach(self) -> None:
        """A partial join that cannot be met any more fails the step."""
        run = self.loop(join=2, max_failures=5)
        run.request(items=[1, 2])
        run.fail("a[0]", retryable=False)
        run.succeed("a[1]")
        assert run.step("a").failure is not None
        assert run.status == "failed"

    def test_instances_added_while_it_runs(self) -> None:
        """Items can be added as long as the loop is under way, by who knows its count."""
        run = self.loop()
        run.request(items=[1])
        run.tell(msg.InstancesAdded(step="a", after=5, items=(2,)))
        assert "a[1]" not in run.statuses
        run.tell(msg.InstancesAdded(step="a", after=1, items=(2,)))
        assert run.statuses["a[1]"] == "scheduled"
        run.succeed("a[0]")
        run.succeed("a[1]")
        run.tell(msg.InstancesAdded(step="a", after=2, items=(3,)))
        assert run.step("a").output["total"] == 2

    @pytest.mark.parametrize("items", ["5", "'text'"])
    def test_what_is_no_list(self, items: str) -> None:
        """A loop over something else fails, and says so."""
        run = self.loop(items)
        run.request()
        failure = run.state.failure
        assert failure is not None
        assert "must be a list or a map" in failure.message

    def test_too_many_items(self) -> None:
        """More items than the limit fail the step before anything starts."""
        run = self.loop()
        run.request(items=list(range(1001)))
        assert run.status == "failed"

    def test_a_pause_holds_instances_back(self) -> None:
        """During a pause no instance starts; the resumption starts them."""
        run = self.loop(concurrency=1)
        run.request(items=[1, 2])
        run.pause()
        run.succeed("a[0]")
        assert run.statuses["a[1]"] == "pending"
        run.resume()
        assert run.statuses["a[1]"] == "scheduled"

    def test_cancel_reaches_instances(self) -> None:
        """A cancel ends every instance."""
        run = self.loop(concurrency=1)
        run.request(items=[1, 2])
        run.cancel()
        assert run.status == "cancelled"


class TestUntil:
    def test_repeats_until_it_holds(self) -> None:
        """A step is run again, after its delay, until its condition holds."""
        run = Run(step("a", until={"condition": "output.n > 1", "max_rounds": 3, "delay_s": 5}))
        run.request()
        run.succeed("a", n=1)
        assert run.statuses["a"] == "retrying"
        run.fire("retry-a")
        run.succeed("a", n=2)
        assert run.status == "completed"
        assert run.step("a").rounds == 1

    def test_rounds_are_bounded(self) -> None:
        """When it never holds the step fails with the last output."""
        run = Run(step("a", until={"condition": "output.n > 9", "max_rounds": 2}))
        run.request()
        run.succeed("a", n=1)
        run.fire("retry-a")
        run.succeed("a", n=2)
        assert run.state.failure == msg.Failure(
            code="until_not_met",
            message="`output.n > 9` did not hold after 2 rounds",
            retryable=False,
        )

    def test_retries_count_anew_each_round(self) -> None:
        """Failed attempts of a round before do not count."""
        run = Run(
            step(
                "a",
                until={"condition": "output.n > 1", "max_rounds": 5},
                retry={"max_attempts": 2, "delay_s": 1},
            )
        )
        run.request()
        run.fail("a")
        run.fire("retry-a")
        run.succeed("a", n=1)
        run.fire("retry-a")
        run.fail("a")
        assert run.statuses["a"] == "retrying"


class TestChoices:
    def choice(self, *options: dict[str, Any]) -> Run:
        return Run({"id": "c", "wait_for": {"options": list(options)}}, step("a"), step("b"))

    def signal(self, run: Run, name: str, key: str = "s1", **data: Any) -> list[str]:
        return run.tell(msg.SignalReceived(id=key, name=name, data=data))

    def test_the_first_signal_decides(self) -> None:
        """Of several signals the first decides; what comes later changes nothing."""
        run = self.choice({"signal": "yes", "then": ["a"]}, {"signal": "no", "then": ["b"]})
        run.request()
        assert run.status == "waiting"
        self.signal(run, "no", reason="late")
        assert run.step("c").output == {
            "option": 1,
            "taken": ["b"],
            "data": {"reason": "late"},
            "by": "unknown",
        }
        self.signal(run, "yes", "s2")
        assert run.statuses == {"c": "completed", "a": "skipped", "b": "scheduled"}

    def test_a_delay_decides(self) -> None:
        """When nothing else comes first, the shortest delay decides."""
        run = self.choice(
            {"signal": "yes", "then": ["a"]}, {"after_s": 9}, {"after_s": 5, "then": ["b"]}
        )
        run.request()
        run.fire("choice-c")
        assert run.step("c").taken == ("b",)

    def test_a_signal_must_be_accepted(self) -> None:
        """A signal that its option does not accept decides nothing."""
        run = self.choice({"signal": "yes", "accept": "data.n > 1", "then": ["a", "b"]})
        run.request()
        self.signal(run, "yes", "s1", n=1)
        assert run.status == "waiting"
        self.signal(run, "yes", "s2", n=2)
        assert run.statuses["a"] == "scheduled"

    def test_a_signal_may_come_before(self) -> None:
        """A signal that came before its step waited is used then, and once."""
        run = Run(
            step("first"),
            {
                "id": "c",
                "depends_on": ["first"],
                "wait_for": {"options": [{"signal": "go", "then": ["a"]}]},
            },
            step("a"),
        )
        run.request()
        self.signal(run, "go")
        run.succeed("first")
        assert run.statuses["c"] == "completed"
        assert run.state.signals[0].used

    def test_accept_that_fails(self) -> None:
        """An `accept` that cannot be evaluated fails the step."""
        run = self.choice({"signal": "yes", "accept": "data.n > 1"})
        run.request()
        self.signal(run, "yes", "s1", n="x")
        assert run.status == "failed"


class TestHandlers:
    def test_on_failure_of_a_step(self) -> None:
        """A step's handlers run after it failed; then the execution fails."""
        run = Run(step("a", on_failure=["h"]), step("h"), step("h2", "h"), step("b", "a"))
        run.request()
        run.fail("a", retryable=False)
        assert run.statuses == {"a": "failed", "h": "scheduled", "h2": "pending", "b": "skipped"}
        run.succeed("h")
        run.succeed("h2")
        assert run.status == "failed"

    def test_no_failure_no_handler(self) -> None:
        """Handlers of a step that completed are skipped, `finally` steps run."""
        run = Run(step("a", on_failure=["h"], **{"finally": ["f"]}), step("h"), step("f"))
        run.request()
        run.succeed("a")
        assert run.statuses == {"a": "completed", "h": "skipped", "f": "scheduled"}

    def test_finally_of_a_step_runs_after_a_cancel(self) -> None:
        """What must run at any end of a step runs when it was cancelled, too."""
        run = Run(step("a", **{"finally": ["f"]}), step("f"), step("b", "a"))
        run.request()
        run.start("a")
        run.cancel()
        run.finish("a", "cancelled")
        assert run.statuses == {"a": "cancelled", "f": "scheduled", "b": "cancelled"}
        run.succeed("f")
        assert run.status == "cancelled"

    def test_sections_after_a_failure(self) -> None:
        """The template's `on_failure` steps run, then its `finally` steps, then it fails."""
        run = Run(
            step("a"),
            on_failure=[
                step("h", parameters={"why": "${{ failure.code }} in ${{ failure.step }}"})
            ],
            **{"finally": [step("f"), step("f2", "f")]},
        )
        run.request()
        run.fail("a", retryable=False)
        assert run.the(ev.StepScheduled).parameters == {"why": "exit_1 in a"}
        run.succeed("h")
        run.succeed("f")
        run.succeed("f2")
        assert run.status == "failed"

    def test_finally_after_success(self) -> None:
        """Without a failure only `finally` runs."""
        run = Run(step("a"), on_failure=[step("h")], **{"finally": [step("f")]})
        run.request()
        run.succeed("a")
        assert run.statuses == {"a": "completed", "h": "skipped", "f": "scheduled"}
        run.succeed("f")
        assert run.status == "completed"

    def test_finally_that_fails(self) -> None:
        """A `finally` step that fails fails the execution, and what follows it does not run."""
        run = Run(step("a"), **{"finally": [step("f"), step("f2", "f")]})
        run.request()
        run.succeed("a")
        run.fail("f", retryable=False)
        assert run.statuses["f2"] == "skipped"
        assert run.status == "failed"

    def test_finally_after_a_cancel(self) -> None:
        """After a cancel `finally` runs, and the execution is cancelled then."""
        run = Run(step("a"), on_failure=[step("h")], **{"finally": [step("f")]})
        run.request()
        run.cancel()
        assert run.statuses == {"a": "cancelled", "h": "cancelled", "f": "scheduled"}
        run.succeed("f")
        assert run.status == "cancelled"

    def test_force_stops_finally_too(self) -> None:
        """A cancel with force leaves nothing to run."""
        run = Run(step("a"), **{"finally": [step("f")]})
        run.request()
        run.cancel()
        run.tell(msg.CancelRequested(force=True))
        assert run.status == "cancelled"

    def test_handlers_are_tried_again(self) -> None:
        """Handlers keep their own retries."""
        run = Run(step("a", on_failure=["h"]), step("h", retry={"max_attempts": 2, "delay_s": 1}))
        run.request()
        run.fail("a", retryable=False)
        run.fail("h")
        run.fire("retry-h")
        run.succeed("h")
        assert run.status == "failed"


class TestRegions:
    def test_a_region_is_cancelled_by_a_step(self) -> None:
        """When a step completes the region that it cancels ends, and the rest goes on."""
        run = Run(
            step("a", cancels=["slow"]),
            step("b", region="slow"),
            step("c", "b", region="slow"),
            step("end", "a"),
        )
        run.request()
        run.start("b")
        run.succeed("a")
        assert run.statuses["b"] == "stopping"
        assert run.statuses["c"] == "cancelled"
        run.finish("b", "cancelled")
        run.succeed("end")
        assert run.status == "completed"

    def test_a_person_cancels_a_region(self) -> None:
        """A region can be cancelled by hand; the execution goes on."""
        run = Run(step("a", region="r"), step("b"))
        run.request()
        run.tell(msg.RegionCancelRequested(region="r", by=msg.Actor(id="ann")))
        run.tell(msg.RegionCancelRequested(region="r"))
        assert run.statuses == {"a": "cancelled", "b": "scheduled"}
        assert "ann" in run.step("a").reason


class TestMilestones:
    def milestone(self) -> Run:
        return Run(
            step("a"),
            step("b"),
            step("c", "b"),
            step("m", "b", milestone={"reached": "a", "until": "c"}),
        )

    def test_between_its_points(self) -> None:
        """A step runs while its milestone is reached and has not passed."""
        run = Run(
            step("a"),
            step("c", "z"),
            step("z"),
            step("m", milestone={"reached": "a", "until": "c"}),
        )
        run.request()
        run.succeed("a")
        assert run.statuses["m"] == "scheduled"

    def test_passed(self) -> None:
        """It is skipped once the milestone has passed."""
        run = self.milestone()
        run.request()
        run.succeed("b")
        run.succeed("a")
        assert "has passed: c has begun" in run.step("m").reason

    def test_never_reached(self) -> None:
        """It is skipped when the milestone cannot be reached any more."""
        run = Run(step("a", when="false"), step("m", milestone={"reached": "a"}))
        run.request()
        assert "did not complete" in run.step("m").reason


class TestCalls:
    def call(self, **fields: Any) -> Run:
        return Run(
            {
                "id": "a",
                "workflow": {"template": "child", "version": "1.0.0"},
                "parameters": {"n": "${{ params.n }}"},
                **fields,
            },
            step("end", "a"),
            parameters={"n": {"type": "integer", "default": 1}},
        )

    def end(self, run: Run, status: str = "completed", **fields: Any) -> list[str]:
        child = run.step("a").child
        assert child is not None
        return run.tell(
            msg.ChildEnded(
                step="a", attempt=run.step("a").attempt, child=child, status=status, **fields
            )
        )

    def test_a_child_is_called_and_comes_back(self) -> None:
        """A step calls a pinned version with rendered parameters, and takes the outputs over."""
        run = self.call()
        run.request(n=7)
        called = run.the(ev.StepCalled)
        assert (called.template_id, called.template_version) == ("child", "1.0.0")
        assert called.parameters == {"n": 7}
        self.end(run, outputs={"x": 1})
        assert run.step("a").output["outputs"] == {"x": 1}
        run.succeed("end")
        assert run.status == "completed"

    def test_a_child_that_failed_is_called_anew(self) -> None:
        """A retry is another child."""
        run = self.call(retry={"max_attempts": 2, "delay_s": 1})
        run.request()
        first = run.step("a").child
        self.end(run, "failed", failure=msg.Failure(code="x", message="y"))
        run.fire("retry-a")
        assert run.step("a").child != first
        self.end(run, "cancelled")
        assert run.state.failure == msg.Failure(
            code="child_cancelled", message="sub-workflow cancelled"
        )

    def test_cancel_reaches_into_it(self) -> None:
        """A cancel is passed on, and the step ends with the child."""
        run = self.call()
        run.request()
        run.cancel()
        assert run.the(ev.StepRecalled).child == run.step("a").child
        assert run.state.timers == {}
        self.end(run, "cancelled")
        assert (run.statuses["a"], run.status) == ("cancelled", "cancelled")

    def test_pause_and_resume_reach_into_it(self) -> None:
        """Pause and resume are passed on."""
        run = self.call()
        run.request()
        run.pause()
        assert run.the(ev.StepRelayed).order == "pause"
        run.resume()
        assert run.the(ev.StepRelayed).order == "resume"

    def test_a_stranger_is_ignored(self) -> None:
        """Only the child that was called can end the step."""
        run = self.call()
        run.request()
        assert run.tell(msg.ChildEnded(step="a", attempt=1, child="ex_x", status="completed")) == []

    def test_wrong_parameters_fail_the_child(self) -> None:
        """A child checks what it is given, and fails before anything of it runs."""
        run = Run(step("a"), parameters={"n": {"type": "integer"}})
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p")
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parameters={"n": "x"}, parent=parent
            )
        )
        assert run.status == "failed"
        assert run.state.failure is not None
        assert run.state.failure.code == "invalid_parameters"

    def test_defaults_and_limits_of_a_child(self) -> None:
        """A child completes its parameters, and is bound by the shorter limit."""
        run = Run(
            step("a"),
            parameters={"n": {"type": "integer", "default": 3}},
            policies={"timeout_s": 50},
        )
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p")
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parent=parent, timeout_s=20
            )
        )
        assert run.state.parameters == {"n": 3}
        assert run.state.timeout_s == 20

    def test_too_deep(self) -> None:
        """A chain of calls has a bound."""
        run = self.call()
        parent = msg.Parent(execution_id="p", step="s", attempt=1, root="p", depth=16)
        run.tell(
            msg.ExecutionRequested(
                template_id="t", template_version="1.0.0", parameters={"n": 1}, parent=parent
            )
        )
        assert run.state.failure is not None
        assert run.state.failure.code == "too_deep"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "noop", "workflow": {"template": "t", "version": "1.0.0"}}, "give one of"),
        ({}, "found none"),
        (
            {
                "switch": {"cases": [{"when": "true", "then": ["a"]}]},
                "until": {"condition": "true", "max_rounds": 2},
            },
            "has no `until`",
        ),
        ({"command": "noop", "else": ["b"]}, "needs a `when`"),
        ({"wait_for": {"options": [{}]}}, "give one of `signal`"),
        ({"wait_for": {"options": [{"after_s": 1, "accept": "true"}]}}, "looks at a signal"),
    ],
)
def test_what_does_not_go_together(fields: dict[str, Any], words: str) -> None:
    """A step that is two things, or none, is refused with what to do."""
    with pytest.raises(ValueError, match=words):
        template({"id": "x", **fields})
