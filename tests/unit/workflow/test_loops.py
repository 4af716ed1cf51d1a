"""Loops over items, and steps that are run until a condition holds."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.decide import decide
from shared.workflow.evolve import evolve
from shared.workflow.failing import MAX_OUTPUT_BYTES
from tests.unit.workflow.scenario import Run, step


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

    def test_a_join_of_more_than_there_are(self) -> None:
        """A partial join of more instances than there are items fails the step at its start."""
        run = self.loop(join=2)
        run.request(items=[1])
        failure = run.step("a").failure
        assert failure is not None
        assert failure.message == "its join needs 2, and there are 1 instances"

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

    def test_nothing_is_added_beyond_the_bound(self) -> None:
        """A loop takes no more instances than its bound, and none once the end has come."""
        run = self.loop(max_failures=0)
        run.request(items=[1])
        run.tell(msg.InstancesAdded(step="a", after=1, items=tuple(range(1000))))
        assert run.step("a").instances == 1

    def test_outputs_too_large_together(self) -> None:
        """What the instances returned must fit into one output."""
        run = self.loop()
        run.request(items=[1, 2])
        half = "x" * (MAX_OUTPUT_BYTES // 2)
        run.succeed("a[0]", text=half)
        run.succeed("a[1]", text=half)
        failure = run.step("a").failure
        assert failure is not None
        assert failure.code == "outputs_too_large"

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

    def test_an_instance_that_ended_out_of_turn(self) -> None:
        """What was ended by hand before its turn is passed over."""
        run = self.loop(concurrency=1)
        run.request(items=[1, 2, 3, 4])
        ended = evolve(run.state, ev.StepCancelled(step="a[2]", attempt=0), run.now)
        done = msg.AttemptFinished(step="a[0]", attempt=1, outcome="failed")
        entry = msg.Entry(execution_id="x1", seq=9, at_ms=run.now, message=done)
        decided = decide(run.program, ended, entry)
        assert decided.state is not None
        found = [decided.state.steps[f"a[{index}]"].status.value for index in range(4)]
        assert found == ["failed", "skipped", "cancelled", "skipped"]


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
