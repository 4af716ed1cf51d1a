"""Branches, joins, loops, choices, handlers, regions and sub-workflows."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.errors import CorruptStateError, DefinitionError, present
from shared.workflow.identity import child_id, created_ms, time_sorted_id
from shared.workflow.program import compile_template
from tests.unit.workflow.scenario import Run, step, template, vanishing_output


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

    def test_unknown_ends_of_a_milestone_are_problems(self) -> None:
        """A milestone's ends must be other steps."""
        for milestone in ({"reached": "nope"}, {"reached": "b", "until": "a"}):
            with pytest.raises(DefinitionError) as caught:
                compile_template(template(step("a", milestone=milestone), step("b")))
            assert caught.value.problems[0].path.startswith("steps/0/milestone")


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
            "approved": False,
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
        self.signal(run, "other", "s0")
        self.signal(run, "go")
        run.succeed("first")
        assert run.statuses["c"] == "completed"
        assert [one.used for one in run.state.signals] == [False, True]

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


class TestLateRendering:
    """What a step is given may have gone by the time it is offered again."""

    def test_in_a_retry(self) -> None:
        """A retry that cannot be rendered any more fails its step."""
        run = vanishing_output()
        run.fail("e")
        run.fire("retry-p")
        run.succeed("p")
        run.fire("retry-e")
        assert run.statuses["e"] == "failed"

    def test_when_it_is_placed_again(self) -> None:
        """The same for a step that no agent fitted at first."""
        run = vanishing_output()
        run.unplace("e")
        run.fire("retry-p")
        run.succeed("p")
        run.fire("place-e")
        assert run.statuses["e"] == "failed"


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


def test_what_must_be_there() -> None:
    """What is not where the program says it is stops the execution, not the partition."""
    with pytest.raises(CorruptStateError, match="no loop"):
        present(None, "loop")


def test_ids_tell_their_time() -> None:
    """An id made by anyone tells when; a child's is the same whenever it is decided."""
    assert created_ms(time_sorted_id("ex", 1_700_000_000_000, 5)) == 1_700_000_000_000
    made = child_id("ex_1", "a[3]", 1, 1_700_000_000_000)
    assert made == child_id("ex_1", "a[3]", 1, 1_700_000_000_000)
    assert made != child_id("ex_1", "a[3]", 2, 1_700_000_000_000)
    assert created_ms(made) == 1_700_000_000_000
    assert created_ms("something") is None


def test_the_kind_of_a_step() -> None:
    """A step is named by its command, or by what the engine does."""
    steps = template(step("a"), {"id": "b", "wait_for": {"options": [{"after_s": 1}]}}).steps
    assert [one.kind for one in steps] == ["noop", "wait_for"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "noop", "workflow": {"template": "t", "version": "1.0.0"}}, "give one of"),
        ({}, "Field required"),
        ({"timeout_s": "x"}, "Field required"),
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
