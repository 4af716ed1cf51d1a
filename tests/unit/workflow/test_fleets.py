"""Fleets: a step on every agent that a selector matches, batch by batch."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.errors import DefinitionError
from shared.workflow.failing import MAX_OUTPUT_BYTES
from shared.workflow.fleets import Target, share_of
from shared.workflow.flow import MAX_INSTANCES
from tests.unit.workflow.fleet_runs import FIVE, WEB, begun, fleet
from tests.unit.workflow.scenario import Run, step


class TestDefinition:
    @pytest.mark.parametrize(
        ("target", "words"),
        [
            ({"strategy": "all", "canary": 1}, "`canary` is about a fleet"),
            ({"strategy": "rolling"}, "`strategy` is about a fleet"),
            ({"where": WEB, "host": "a"}, "not both"),
            ({"where": WEB, "batch": 2}, "goes with `strategy: rolling`"),
            ({"where": WEB, "strategy": "one", "canary": 1}, "not `strategy: one`"),
            ({"where": WEB, "strategy": "one", "approve_between": {}}, "stands between batches"),
            ({"approve_between": {}}, "stands between batches"),
            ({"where": WEB, "approve_after_canary": {}}, "needs a `canary`"),
            (
                {"where": WEB, "approve_between": {"form": {"n": {"type": "integer"}}}},
                "has no form",
            ),
            ({"where": WEB, "canary": "0.5%"}, "canary"),
            ({"where": WEB, "max_failure": "101%"}, "max_failure"),
        ],
    )
    def test_what_does_not_belong_together(self, target: dict[str, Any], words: str) -> None:
        """Fields of a fleet need a selector, and those between batches need batches."""
        with pytest.raises(ValidationError, match=words):
            Target.model_validate(target)

    @pytest.mark.parametrize("kind", ["switch", "foreach"])
    def test_only_commands_run_on_fleets(self, kind: str) -> None:
        """A fleet is a loop over agents: it has no other loop, and no branches."""
        foreach = {"command": "noop", "foreach": {"items": "[1]"}}
        fields = foreach if kind == "foreach" else {"switch": {"cases": [_case()]}}
        with pytest.raises(ValidationError, match=f"not {kind}"):
            Run({"id": "s", "target": {"where": WEB}, **fields}, step("x"))

    def test_the_selector_is_checked(self) -> None:
        """A selector must be a condition over what is known of agents."""
        with pytest.raises(DefinitionError, match="undeclared"):
            Run(step("s", target={"where": "agent.nam == 'a'"}))
        with pytest.raises(DefinitionError, match="not true or false"):
            Run(step("s", target={"where": "agent.name"}))
        with pytest.raises(DefinitionError, match="undeclared"):
            Run(step("s", parameters={"n": "${{ agent.name }}"}))

    @pytest.mark.parametrize(
        ("share", "total", "count"),
        [("1%", 3, 1), ("25%", 10, 3), ("100%", 7, 7), ("0%", 5, 1), (4, 2, 4)],
    )
    def test_shares_to_start_are_rounded_up(self, share: int | str, total: int, count: int) -> None:
        """A share of the targets is rounded up, and is one at least."""
        assert share_of(share, total) == count

    @pytest.mark.parametrize(
        ("budget", "total", "count"), [("10%", 9, 0), ("10%", 25, 2), ("0%", 5, 0), (3, 5, 3)]
    )
    def test_shares_that_may_fail_are_rounded_down(
        self, budget: int | str, total: int, count: int
    ) -> None:
        """More than the share never fail unnoticed."""
        assert Target.model_validate({"where": WEB, "max_failure": budget}).budget(total) == count

    @pytest.mark.parametrize(
        ("target", "total", "sizes"),
        [
            ({}, 4, [4]),
            ({"canary": 1}, 4, [1, 3]),
            ({"canary": 9}, 4, [4]),
            ({"strategy": "rolling"}, 3, [1, 1, 1]),
            ({"strategy": "rolling", "batch": "50%", "canary": 1}, 5, [1, 3, 1]),
            ({"strategy": "rolling", "batch": 2}, 0, []),
        ],
    )
    def test_batches(self, target: dict[str, Any], total: int, sizes: list[int]) -> None:
        """The canary comes first, and the last batch is what is left."""
        assert Target.model_validate({"where": WEB, **target}).batches(total) == sizes


def _case() -> dict[str, Any]:
    return {"when": "true", "then": ["x"]}


class TestTargets:
    def test_the_directory_is_asked(self) -> None:
        """The selector and what it uses of the execution stand in the question, and nothing runs
        before there is an answer."""
        run = Run(
            step(
                "s",
                target={"where": "agent.labels.role == params.role && agent.load < params.most"},
                required_capabilities=["gpu"],
                any_capabilities=["a", "b"],
            ),
            parameters={"role": {"type": "string"}, "most": {"type": "number"}},
        )
        run.request(role="web", most=1)
        asked = run.the(ev.StepTargeting)
        assert asked.values == {"params.role": "web", "params.most": 1.0}
        assert (asked.capabilities, asked.any_capabilities) == (("gpu",), ("a", "b"))
        assert run.statuses == {"s": "expanded"}

    def test_one_instance_on_each_target(self) -> None:
        """Each target has an instance that no other agent may run, and that knows its agent."""
        words = "${{ agent.name }} on ${{ agent.host }}, ${{ agent.labels.role }}: ${{ batch }}"
        run = fleet(step_fields={"parameters": {"x": words}})
        run.target("s", "a", "b")
        scheduled = [e for e in run.events if isinstance(e, ev.StepScheduled)]
        assert [e.requirement.agent for e in scheduled] == ["a", "b"]
        assert scheduled[0].parameters == {"x": "a on a.example, web: 1"}

    def test_what_became_of_each(self) -> None:
        """The output tells of each target; the steps after it can use that."""
        run = fleet("a", "b", max_failure=1)
        run.succeed("s[0]", v=1)
        run.fail("s[1]", retryable=False)
        output = run.step("s").output
        assert run.statuses["s"] == "completed"
        counts = (output["total"], output["completed"], output["failed"], output["batches"])
        assert counts == (2, 1, 1, 1)
        first, second = output["results"]
        assert (first["target"], first["status"], first["output"]) == ("a", "completed", {"v": 1})
        assert second["host"] == "b.example"
        assert (second["error"], second["code"], second["attempts"]) == (
            "exit code 1",
            "exit_1",
            1,
        )
        assert run.the(ev.StepScheduled).parameters == {"failed": 1}

    def test_nobody_matches(self) -> None:
        """A selector that matches nobody fails the step and says so."""
        run = fleet()
        run.target("s", live=3, why="a: no such key: role")
        failure = run.step("s").failure
        assert failure is not None
        assert failure.code == "no_targets"
        assert (
            failure.message == f"`{WEB}` matches none of the 3 live agents (a: no such key: role)"
        )
        again = fleet()
        again.target("s")
        assert again.status == "failed"

    def test_nobody_needs_to_match(self) -> None:
        """With `allow_empty` a fleet without targets completes, whatever its batches would be."""
        run = fleet(allow_empty=True, strategy="rolling", canary=1, approve_between={})
        run.target("s")
        assert run.step("s").output["total"] == 0
        assert run.statuses["s"] == "completed"

    def test_too_many_match(self) -> None:
        """A fleet beyond the bound fails before anything runs, and says how many matched."""
        run = fleet()
        names = [f"n{index}" for index in range(MAX_INSTANCES)]
        run.target("s", *names, matched=MAX_INSTANCES + 1)
        failure = run.step("s").failure
        assert failure is not None
        assert failure.code == "too_many_targets"
        assert run.step("s").instances == 0

    def test_who_joins_midway_is_not_included(self) -> None:
        """The first answer holds: neither another one nor added items bring more targets."""
        run = fleet("a", strategy="rolling")
        run.target("s", "a", "b")
        run.tell(msg.InstancesAdded(step="s", after=1, items=("b",)))
        assert run.step("s").instances == 1

    def test_an_answer_to_another_question_is_not_one(self) -> None:
        """Only the answer to the question that was asked counts, while it is asked."""
        run = fleet()
        run.target("s", "a", asked=99)
        run.tell(msg.TargetsResolved(step="nowhere", asked=1))
        run.tell(msg.TargetsResolved(step="end", asked=1))
        assert run.step("s").instances == 0
        run.cancel()
        run.target("s", "a")
        assert run.statuses["s"] == "cancelled"

    def test_a_loop_is_no_fleet(self) -> None:
        """Targets for a loop over items mean nothing."""
        run = Run(step("s", foreach={"items": "[1]"}))
        run.request()
        run.tell(msg.TargetsResolved(step="s", asked=1))
        assert run.step("s").instances == 1

    def test_a_selector_without_its_values_fails(self) -> None:
        """What the parameters can never be made of is said before anybody is asked."""
        run = Run(
            step("p"),
            step(
                "s",
                "p",
                approval={},
                target={"where": WEB},
                parameters={"x": "${{ steps.p.output.n }}"},
            ),
        )
        run.request()
        run.succeed("p")
        failure = run.step("s").failure
        assert failure is not None
        assert failure.code == "expression_error"

    def test_a_sub_workflow_for_each_target(self) -> None:
        """A fleet may call a template for each of its agents."""
        called = {"template": "t", "version": "1.0.0"}
        target = {"where": WEB, "strategy": "rolling"}
        parameters = {"on": "${{ agent.name }}"}
        run = Run({"id": "s", "workflow": called, "target": target, "parameters": parameters})
        run.request()
        run.target("s", "a", "b")
        assert run.the(ev.StepCalled).parameters == {"on": "a"}


class TestBatches:
    def test_the_canary_runs_first(self) -> None:
        """Nothing else begins before the canary has completed; then all the rest does."""
        run = fleet(*FIVE, canary=1)
        assert begun(run) == ["a"]
        assert run.the(ev.StepBatchStarted).canary
        run.succeed("s[0]")
        assert begun(run, "scheduled") == ["b", "c", "d", "e"]

    def test_a_batch_begins_when_the_one_before_is_over(self) -> None:
        """Of a rolling fleet one batch is under way at a time."""
        run = fleet(*FIVE, strategy="rolling", batch=2)
        run.succeed("s[1]")
        assert begun(run) == ["a", "b"]
        run.succeed("s[0]")
        ended, started = run.the(ev.StepBatchEnded), run.the(ev.StepBatchStarted)
        assert (ended.batch, ended.completed, started.batch) == (1, 2, 2)
        assert started.targets == ("c", "d")
        assert begun(run) == ["a", "b", "c", "d"]

    def test_a_pause_between(self) -> None:
        """The pause is a durable timer; none follows the last batch."""
        run = fleet("a", "b", strategy="rolling", pause_between_s=30)
        run.succeed("s[0]")
        assert run.state.timers["batch-s"].due_ms == run.now + 30_000
        assert begun(run) == ["a"]
        run.fire("batch-s")
        assert begun(run) == ["a", "b"]
        run.succeed("s[1]")
        assert run.statuses["s"] == "completed"
        assert "batch-s" not in run.state.timers

    def test_the_execution_is_paused_between_batches(self) -> None:
        """What was due during a pause of the execution begins when it is resumed."""
        run = fleet("a", "b", strategy="rolling", pause_between_s=1)
        run.succeed("s[0]")
        run.pause()
        run.fire("batch-s")
        assert begun(run) == ["a"]
        run.resume()
        assert begun(run) == ["a", "b"]

    def test_paused_in_the_middle_of_a_batch(self) -> None:
        """A pause lets what runs finish, and the next batch waits for its end."""
        run = fleet("a", "b", "c", strategy="rolling", batch=2)
        run.pause()
        run.succeed("s[0]")
        run.succeed("s[1]")
        assert begun(run) == ["a", "b"]
        run.resume()
        assert begun(run) == ["a", "b", "c"]

    def test_the_answer_comes_during_a_pause(self) -> None:
        """Targets may become known during a pause; they begin after it."""
        run = fleet()
        run.pause()
        run.target("s", "a")
        assert begun(run) == []
        run.resume()
        assert begun(run) == ["a"]

    def test_cancelled_in_the_middle_of_a_batch(self) -> None:
        """A cancel stops what runs, and nothing else begins."""
        run = fleet("a", "b", "c", strategy="rolling", batch=2)
        run.start("s[0]")
        run.cancel()
        assert begun(run, "stopping") == ["a"]
        run.finish("s[0]", "cancelled")
        assert run.status == "cancelled"
        assert begun(run, "cancelled") == ["a", "b", "c"]

    def test_something_else_fails(self) -> None:
        """When another step fails for good no further batch begins."""
        run = Run(step("s", target={"where": WEB, "strategy": "rolling"}), step("other"))
        run.request()
        run.target("s", "a", "b")
        run.start("s[0]")
        run.fail("other", retryable=False)
        run.finish("s[0]")
        assert run.status == "failed"
        assert begun(run, "skipped") == ["b"]


class TestFailures:
    def test_the_budget_stops_further_batches(self) -> None:
        """Once more failed than may, nothing more begins; what runs finishes first."""
        run = fleet(*FIVE, strategy="rolling", batch=2, max_failure=0)
        run.start("s[1]")
        run.fail("s[0]", retryable=False)
        assert run.the(ev.StepFleetStopped).failure.code == "targets_failed"
        assert begun(run, "skipped") == ["c", "d", "e"]
        assert run.statuses["s"] == "expanded"
        run.finish("s[1]")
        whole = run.step("s")
        assert whole.failure is not None
        assert whole.failure.message == (
            "stopped: 1 targets failed, and 0 may; 1 of 5 targets failed: a (exit code 1)"
        )
        assert [one["status"] for one in whole.output["results"]] == [
            "failed",
            "completed",
            "skipped",
            "skipped",
            "skipped",
        ]
        assert run.status == "failed"

    def test_within_the_budget_it_goes_on(self) -> None:
        """Failures that the budget allows stop nothing."""
        run = fleet(*FIVE, strategy="rolling", max_failure="20%")
        run.fail("s[0]", retryable=False)
        for index in range(1, 5):
            run.succeed(f"s[{index}]")
        assert run.step("s").output["failed"] == 1
        assert run.statuses["s"] == "completed"

    def test_a_canary_that_fails(self) -> None:
        """A failure of the canary stops the fleet, whatever the budget is."""
        run = fleet("a", "b", canary=1, max_failure=1)
        run.fail("s[0]", retryable=False)
        failure = run.step("s").failure
        assert failure is not None
        assert failure.code == "canary_failed"
        assert begun(run, "skipped") == ["b"]

    def test_only_the_canary_stops(self) -> None:
        """With `stop_on: canary_failure` later failures stop nothing, and count at the end."""
        run = fleet("a", "b", "c", strategy="rolling", canary=1, stop_on="canary_failure")
        run.succeed("s[0]")
        run.fail("s[1]", retryable=False)
        run.succeed("s[2]")
        assert run.step("s").output["stopped"] == ""
        assert run.status == "failed"

    def test_the_first_failure_stops(self) -> None:
        """With `first_failure` the budget does not matter while there is something to stop."""
        run = fleet("a", "b", strategy="rolling", max_failure=2, stop_on=["first_failure"])
        run.fail("s[0]", retryable=False)
        assert begun(run, "skipped") == ["b"]
        assert run.status == "failed"

    def test_a_last_failure_stops_nothing(self) -> None:
        """Where all have begun there is nothing to stop, and the budget alone decides."""
        run = fleet("a", "b", max_failure=1, stop_on="first_failure")
        run.fail("s[0]", retryable=False)
        run.succeed("s[1]")
        assert run.statuses["s"] == "completed"

    def test_nothing_stops(self) -> None:
        """With no `stop_on` every target is run on, and the names of some that failed are told."""
        names = [f"n{index:02d}" for index in range(12)]
        run = fleet(*names, strategy="rolling", batch=12, stop_on=[])
        for index in range(12):
            run.fail(f"s[{index}]", retryable=False)
        failure = run.step("s").failure
        assert failure is not None
        assert failure.message.startswith("12 of 12 targets failed: n00, n01")
        assert "n09, …" in failure.message
        assert "n10" not in failure.message

    def test_a_fleet_that_may_fail(self) -> None:
        """With `continue_on_failure` the execution goes on, with the results as they are."""
        run = fleet("a", step_fields={"continue_on_failure": True})
        run.fail("s[0]", retryable=False)
        assert run.the(ev.StepScheduled).parameters == {"failed": 1}

    def test_a_target_is_tried_again(self) -> None:
        """Retries are each target's own, and stay on it."""
        run = fleet("a", "b", step_fields={"retry": {"max_attempts": 2, "delay_s": 1}})
        run.fail("s[1]")
        run.fire("retry-s[1]")
        again = run.the(ev.StepScheduled)
        assert (again.attempt, again.requirement.agent) == (2, "b")


class TestVanished:
    def gone(self, run: Run, name: str) -> None:
        """Let a target be gone for as long as its step may wait."""
        run.unplace(name)
        while run.step(name).status.value == "blocked":
            run.fire(f"place-{name}")
            run.unplace(name)

    def test_it_counts_as_failed(self) -> None:
        """A target that is gone before it began fails with `no_agent`."""
        run = fleet("a", "b", max_failure=1, step_fields={"start_timeout_s": 3})
        self.gone(run, "s[0]")
        run.succeed("s[1]")
        assert run.step("s").output["results"][0]["code"] == "no_agent"
        assert run.statuses["s"] == "completed"

    def test_it_may_be_skipped(self) -> None:
        """With `on_target_lost: skip` it does not count, and is said to be gone."""
        run = fleet("a", "b", on_target_lost="skip", step_fields={"start_timeout_s": 3})
        self.gone(run, "s[0]")
        run.succeed("s[1]")
        output = run.step("s").output
        assert (output["skipped"], output["failed"]) == (1, 0)
        assert output["results"][0]["error"] == "its target is gone: nobody fits"
        assert run.statuses["s"] == "completed"

    def test_what_had_begun_is_never_skipped(self) -> None:
        """An attempt that was lost midway counts as `on_lost` says, whatever the policy is; so does
        a target that is gone when it is to run again."""
        retry = {"start_timeout_s": 1, "on_lost": "rerun"}
        run = fleet("a", on_target_lost="skip", step_fields=retry)
        run.start("s[0]")
        run.lose("s[0]")
        self.gone(run, "s[0]")
        assert run.step("s").output["results"][0]["code"] == "no_agent"
        assert run.status == "failed"

    def test_a_canary_that_is_gone_has_shown_nothing(self) -> None:
        """A canary of which all targets are gone stops the fleet, though none failed."""
        fields = {"start_timeout_s": 1}
        run = fleet("a", "b", canary=1, on_target_lost="skip", step_fields=fields)
        self.gone(run, "s[0]")
        failure = run.step("s").failure
        assert failure is not None
        assert (failure.code, failure.message) == ("canary_failed", "stopped: its canary failed")

    def test_a_step_that_is_no_fleet_fails(self) -> None:
        """Without a fleet there is no target to be skipped."""
        run = Run(step("x", start_timeout_s=1))
        run.request()
        self.gone(run, "x")
        assert run.status == "failed"


class TestOutputs:
    def test_outputs_too_large_together_stay_with_the_instances(self) -> None:
        """What does not fit into one output is left out of it, and the fleet completes."""
        run = fleet("a", "b")
        large = "x" * (MAX_OUTPUT_BYTES // 3)
        for name in ("s[0]", "s[1]"):
            run.start(name)
            run.finish(name, output={"text": large}, output_bytes=len(large))
        output = run.step("s").output
        assert [one["output"] for one in output["results"]] == [{}, {}]
        assert run.step("s[0]").output["text"] == large
        assert run.statuses["s"] == "completed"

    def test_without_any_room_only_counts_are_left(self) -> None:
        """Where not even the list of targets fits, the counts do."""
        run = fleet("a", "b")
        run.start("s[0]")
        run.finish("s[0]", output={}, output_bytes=MAX_OUTPUT_BYTES - 300)
        run.start("s[1]")
        run.finish("s[1]", output={}, output_bytes=10)
        assert run.step("s").output["results"] == []
        assert run.step("s").output["completed"] == 2
