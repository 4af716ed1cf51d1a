"""Approvals of a re-run: kept by the hash of what they were about."""

from __future__ import annotations

from typing import Any

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.program import compile_template
from shared.workflow.rerunning import (
    Wish,
    kept_approvals,
)
from tests.unit.workflow.reruns import FAILED, OLGA, Again, past_of, same
from tests.unit.workflow.scenario import COMMANDS, Run, step


class TestApprovals:
    """An approval is kept if the hash of what it was about is the same."""

    def approved(self, **rule: Any) -> Run:
        run = Run(
            step("a", parameters={"n": "${{ params.n }}"}),
            step("b", "a", approval={}, parameters={"m": "${{ steps.a.output.m }}"}),
            step("c", "b"),
            parameters={"n": {"type": "integer", "default": 1}},
            policies={"approval": rule},
        )
        run.requested_by = msg.Actor(id="ryan")
        run.request(n=1)
        run.vote("alice")
        run.succeed("a", m=1)
        run.vote("bob", "b")
        run.fail("b", retryable=False)
        assert run.status == "failed"
        return run

    def test_of_the_same_nobody_is_asked_twice(self) -> None:
        """Neither before everything nor before the step; who approved stands in the new gates."""
        again = Again(self.approved(), FAILED)
        run = again.run
        assert run.types.count("approval.kept") == 2
        assert run.statuses["b"] == "scheduled"
        assert run.gate().kept_from == "x1"
        assert run.state.approved_by == msg.Actor(id="alice")
        assert [vote.by.id for vote in run.gate("b").votes] == ["bob"]
        run.fail("b", retryable=False)
        second = Again(run, FAILED)
        assert second.run.types.count("approval.kept") == 2
        second.check_replay()

    def test_of_what_was_asked_anew_by_a_re_run(self) -> None:
        """A gate that asked about what a re-run does is kept by the next one."""
        first = Again(self.approved(), FAILED, by=msg.Actor(id="alice"))
        assert first.run.status == "waiting", "alice asks for it now: her own approval is none"
        assert [one.id for one in subject_steps(first.run)] == ["b", "c"]
        first.run.vote("carol")
        assert first.run.statuses["b"] == "scheduled"
        first.run.fail("b", retryable=False)
        second = Again(first.run, FAILED)
        assert second.run.types.count("approval.kept") == 2
        assert second.run.gate().kept_from == "x1again"

    def test_the_core_looks_for_itself(self) -> None:
        """Whatever the request brings along, nobody approves what they ask for."""
        before = self.approved()
        rerun = Again(before, FAILED).rerun
        run = same(before)
        run.requested_by = msg.Actor(id="alice")
        run.request_with({"n": 1}, rerun=rerun)
        assert run.status == "waiting"

    def test_own_approval_counts_where_that_is_allowed(self) -> None:
        """As the rule of the gate says."""
        before = self.approved(allow_self_approval=True)
        again = Again(before, FAILED, by=msg.Actor(id="alice"))
        assert again.run.gate().kept_from == "x1"

    def test_changed_inputs_are_asked_about(self) -> None:
        """Parameters are part of what was approved."""
        again = Again(self.approved(), FAILED, parameters={"n": 2})
        assert again.run.status == "waiting"
        assert again.run.the(ev.ApprovalRequested).gate == "workflow"

    def test_other_outputs_are_asked_about(self) -> None:
        """The step runs with something else than what was approved."""
        again = Again(self.approved(), Wish(from_step="a"))
        again.run.succeed("a", m=2)
        assert again.run.gate("b").is_open

    def test_an_altered_rule_is_asked_about(self) -> None:
        """What was kept must fit the gate."""
        before = self.approved()
        again = Again(before, FAILED)
        kept = [
            one.model_copy(update={"rule": one.rule.model_copy(update={"quorum": 2})})
            for one in again.rerun.approvals
        ]
        run = again.run
        run.history, run._state, run.execution_id = [], None, "x9"
        run.request_with({"n": 1}, rerun=again.rerun.model_copy(update={"approvals": tuple(kept)}))
        assert run.status == "waiting"

    def test_what_an_approver_filled_in(self) -> None:
        """A step that used it is kept only while the approval is."""
        gate = {"form": {"m": {"type": "integer"}}}
        run = Run(
            step("a", parameters={"m": "${{ approvals.workflow.input.m }}"}),
            step("b", "a"),
            policies={"approval": gate},
        )
        run.requested_by = msg.Actor(id="ryan")
        run.request()
        run.vote("alice", input={"m": 3})
        run.succeed("a")
        run.fail("b", retryable=False)
        kept = Again(run, FAILED)
        assert kept.sorting.kept == ("a",)
        assert kept.run.gate().input == {"m": 3}
        asked = Again(run, FAILED, by=msg.Actor(id="alice"))
        assert asked.sorting.again["a"] == "it uses what an approver fills in at workflow"

    def test_of_another_version_nothing_is_kept(self) -> None:
        """The version is part of what was approved."""
        run = self.approved()
        other = compile_template(run.template.model_copy(update={"version": "1.0.1"}), COMMANDS)
        assert kept_approvals(past_of(run), other, run.state.parameters, OLGA) == ()


def subject_steps(run: Run) -> tuple[Any, ...]:
    return subject_of(run.program, run.state, "workflow", run.gate()).steps
