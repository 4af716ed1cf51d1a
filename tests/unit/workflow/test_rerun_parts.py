"""Re-runs of loops and of calls: only the parts that have to run."""

from __future__ import annotations

from typing import Any, ClassVar

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.kept import Rerun
from shared.workflow.program import compile_template
from shared.workflow.rerunning import (
    ChildRerun,
    Wish,
    children_to_go_on,
)
from tests.unit.workflow.reruns import FAILED, OLGA, Again, past_of, same
from tests.unit.workflow.scenario import COMMANDS, Run, step, template


class TestLoops:
    """Of a loop that failed only what failed and what was not started runs again."""

    def failed(self) -> Run:
        run = Run(
            step("g"),
            step("a", "g", foreach={"items": "steps.g.output.hosts", "concurrency": 2}),
        )
        run.request()
        run.succeed("g", hosts=["h1", "h2", "h3", "h4"])
        run.succeed("a[0]", did="h1")
        run.fail("a[1]", retryable=False)
        run.succeed("a[2]", did="h3")
        assert (run.statuses["a"], run.statuses["a[3]"]) == ("failed", "skipped")
        return run

    def test_instances_that_completed_are_kept(self) -> None:
        """With their outputs, in the loop's output."""
        again = Again(self.failed(), FAILED)
        run = again.run
        assert [run.statuses[f"a[{n}]"] for n in range(4)] == [
            "completed",
            "scheduled",
            "completed",
            "scheduled",
        ]
        assert run.step("a[0]").kept_from == "x1"
        assert run.step("a").plan is None
        run.succeed("a[1]")
        run.succeed("a[3]")
        assert run.status == "completed"
        results = run.step("a").output["results"]
        assert results[0]["output"] == {"did": "h1"}
        again.check_replay()

    def test_each_only_for_the_same_item(self) -> None:
        """Another list is other work: by place and item."""
        parameters = {"hosts": {"type": "array", "default": []}}
        loop = step("a", foreach={"items": "params.hosts"})
        run = Run(loop, parameters=parameters)
        run.request(hosts=["h1", "h2"])
        run.succeed("a[0]")
        run.fail("a[1]", retryable=False)
        again = Again(run, FAILED)
        assert again.run.statuses["a[0]"] == "completed"
        moved = Again(run, FAILED, parameters={"hosts": ["h2", "h1"]})
        assert moved.sorting.again == {"a": "it uses the input hosts, which changed"}
        assert moved.run.statuses["a[0]"] == "scheduled"

    def test_items_that_moved_run(self) -> None:
        """What a list is may be known only when the loop begins again."""
        before = self.failed()
        again = Again(before, FAILED)
        rerun = again.rerun
        kept = rerun.kept[0].model_copy(update={"output": {"hosts": ["h9", "h2", "h3"]}})
        run = same(before)
        run.request_with({}, rerun=rerun.model_copy(update={"kept": (kept,)}))
        assert [run.statuses[f"a[{n}]"] for n in range(3)] == [
            "scheduled",
            "scheduled",
            "completed",
        ]

    def test_from_the_loop_all_of_it_runs_again(self) -> None:
        """The wish is the loop, not a part of it."""
        again = Again(self.failed(), Wish(from_step="a"))
        assert again.rerun.plans == ()
        assert again.run.statuses["a[0]"] == "scheduled"


class TestCalls:
    """A re-run goes on in the sub-workflow that failed."""

    CALL: ClassVar = {"workflow": {"template": "child", "version": "1.0.0"}}

    def child_rerun(self, of: str, **parameters: Any) -> ChildRerun:
        return ChildRerun(Rerun(of=of, by=OLGA), parameters)

    def failed(self, **fields: Any) -> Run:
        call = {"id": "a", **self.CALL, "parameters": {"n": "${{ params.n }}"}, **fields}
        run = Run(call, step("b", "a"), parameters={"n": {"type": "integer", "default": 1}})
        run.request(n=1)
        self.end(run, "a", "failed")
        return run

    def end(self, run: Run, key: str, status: str) -> None:
        child = run.step(key).child
        assert child is not None
        run.tell(msg.ChildEnded(step=key, attempt=1, child=child, status=status))

    def test_it_is_called_as_a_re_run(self) -> None:
        """With the same parameters; a retry goes on there, too."""
        before = self.failed(retry={"max_attempts": 1})
        sorting = Again(before, FAILED).sorting
        [(key, old)] = children_to_go_on(past_of(before), before.program, sorting, FAILED)
        assert (key, old) == ("a", before.step("a").child)
        again = Again(before, FAILED, children={"a": self.child_rerun(old, n=1)})
        assert again.run.the(ev.StepCalled).rerun_of == old
        assert again.run.step("a").plan is not None
        self.end(again.run, "a", "completed")
        assert again.run.step("a").plan is None
        again.check_replay()

    def test_other_parameters_are_another_call(self) -> None:
        """Then the whole of it runs."""
        before = self.failed()
        again = Again(before, FAILED, children={"a": self.child_rerun("old", n=2)})
        assert again.run.the(ev.StepCalled).rerun_of == ""

    def test_a_retry_keeps_it(self) -> None:
        """The plan is there until the step has ended."""
        retry = {"max_attempts": 2, "delay_s": 1}
        before = self.failed(retry=retry)
        before.fire("retry-a")
        self.end(before, "a", "failed")
        again = Again(before, FAILED, children={"a": self.child_rerun("old", n=1)})
        self.end(again.run, "a", "failed")
        again.run.fire("retry-a")
        assert again.run.the(ev.StepCalled).rerun_of == "old"

    def test_which_may_go_on(self) -> None:
        """Not where the whole child is wanted, nor where another template is called."""
        before = self.failed()
        past, sorting = past_of(before), Again(before, FAILED).sorting
        whole = Wish(failed_only=True, whole_children=True)
        assert list(children_to_go_on(past, before.program, sorting, whole)) == []
        others = (
            {"id": "a", "workflow": {"template": "other", "version": "1.0.0"}},
            step("a"),
        )
        for other in others:
            program = compile_template(template(other), COMMANDS)
            assert list(children_to_go_on(past, program, sorting, FAILED)) == []

    def test_instances_of_a_loop(self) -> None:
        """Each goes on in its own sub-workflow; those that completed are kept."""
        before = Run({"id": "a", **self.CALL, "foreach": {"items": "[1, 2, 3]"}})
        before.request()
        self.end(before, "a[0]", "completed")
        self.end(before, "a[1]", "failed")
        self.end(before, "a[2]", "cancelled")
        past = past_of(before)
        sorting = Again(before, FAILED).sorting
        found = dict(children_to_go_on(past, before.program, sorting, FAILED))
        assert set(found) == {"a[1]", "a[2]"}
        children = {key: self.child_rerun(old) for key, old in found.items()}
        again = Again(before, FAILED, children=children)
        called = {e.step: e.rerun_of for e in again.run.events if isinstance(e, ev.StepCalled)}
        assert called == found
        assert again.run.statuses["a[0]"] == "completed"
        again.check_replay()
        whole = Wish(from_step="a")
        sorting = Again(before, whole).sorting
        assert list(children_to_go_on(past, before.program, sorting, whole)) == []
