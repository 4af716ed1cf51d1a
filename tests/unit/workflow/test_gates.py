"""Gates before the workflow and before steps: what they hold back, and what voids them."""

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.gates import ask, open_gates, void
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.messages import Actor
from shared.workflow.program import compile_template
from shared.workflow.settling import settle
from shared.workflow.state import ExecutionState
from shared.workflow.turn import Turn
from tests.unit.workflow.scenario import Run, retry_of_something_else, step, template

GATE: dict[str, Any] = {"approval": {}}
RETRY = {"max_attempts": 2, "delay_s": 1, "jitter": 0}


def test_a_gate_holds_the_workflow_back() -> None:
    """A gate of the workflow tells that it waits, and nothing starts before it is granted."""
    run = Run(step("a"), policies=GATE)
    assert run.request() == ["execution.created", "approval.requested", "notification.raised"]
    assert (run.status, run.statuses) == ("waiting", {"a": "pending"})
    assert run.vote("alice") == ["approval.granted", "execution.started", "step.scheduled"]
    assert run.state.approved_by == Actor(id="alice")


def test_a_gate_holds_one_step_back() -> None:
    """A gate before a step asks when the step is ready; other steps go on meanwhile."""
    run = Run(step("a"), step("b", "a", **GATE), step("c", "a"))
    run.request()
    run.succeed("a")
    assert run.statuses == {"a": "completed", "b": "pending", "c": "scheduled"}
    assert run.status == "running"
    assert run.succeed("c")[-1] == "execution.waiting"
    assert run.the(ev.ExecutionWaiting).reason == "waits for: b (approval)"
    assert run.vote("alice", "b") == ["approval.granted", "step.scheduled", "execution.continued"]
    assert run.succeed("b")[-1] == "execution.completed"


def test_a_step_that_is_skipped_is_not_asked_about() -> None:
    """A false condition skips the step without bothering anybody."""
    run = Run(step("a", when="1 > 2", **GATE))
    assert "approval.requested" not in run.request()
    assert run.status == "completed"


def test_a_step_that_cannot_be_made_ready_is_not_asked_about() -> None:
    """A parameter that fails to render fails the step before anybody is asked."""
    run = Run(step("a"), step("b", "a", parameters={"x": "${{ steps.a.output.no }}"}, **GATE))
    run.request()
    assert run.succeed("a")[:3] == ["step.completed", "step.failed", "execution.failing"]


def test_a_rejected_step_fails() -> None:
    """A rejection fails the step with the person's words, and so the execution."""
    run = Run(step("a", **GATE))
    run.request()
    assert run.vote("bob", "a", approved=False, comment="not now") == [
        "approval.rejected",
        "step.failed",
        "execution.failing",
        "execution.failed",
    ]
    failure = run.step("a").failure
    assert failure is not None
    assert (failure.code, failure.message) == ("approval_rejected", "rejected by bob: not now")


def test_a_rejection_can_be_tolerated() -> None:
    """A rejected step with `continue_on_failure` lets the others go on."""
    run = Run(step("a", continue_on_failure=True, **GATE), step("b", "a"))
    run.request()
    run.vote("bob", "a", approved=False)
    assert run.statuses == {"a": "failed", "b": "scheduled"}


def test_the_rest_of_a_workflow_is_asked_for_again() -> None:
    """Gates of the workflow and of a step are two: granting one grants nothing of the other."""
    run = Run(step("a", **GATE), policies=GATE)
    run.request()
    run.vote("alice")
    assert run.statuses == {"a": "pending"}
    assert run.vote("alice", "a") == ["approval.granted", "step.scheduled", "execution.continued"]


def test_a_step_granted_in_a_pause_starts_after_it() -> None:
    """An approval during a pause counts, and what it lets go starts with the resumption."""
    run = Run(step("a", **GATE))
    run.request()
    run.pause()
    assert run.vote("alice", "a") == ["approval.granted"]
    assert run.resume() == ["execution.resumed", "step.scheduled"]


def test_a_pause_does_not_ask_twice() -> None:
    """A gate that is open when the execution is resumed stays the same round."""
    run = Run(step("a", **GATE))
    run.request()
    run.pause()
    assert run.resume() == ["execution.resumed", "execution.waiting"]
    assert run.gate("a").round == 1


def test_a_retry_needs_no_new_approval() -> None:
    """Another attempt at exactly what was approved is covered by the approval."""
    run = Run(step("a", retry=RETRY, **GATE))
    run.request()
    run.vote("alice", "a")
    run.fail("a")
    assert run.fire("retry-a") == ["timer.cleared", "step.scheduled"]


def test_a_cancelled_execution_asks_nobody() -> None:
    """An open gate is void when the execution comes to its end, with its timers."""
    run = Run(step("a", approval={"expires_after_s": 60}))
    run.request()
    assert "approval.voided" in run.cancel()
    assert run.gate("a").status is ApprovalStatus.VOIDED
    run = Run(step("a"), policies=GATE)
    run.request()
    assert run.cancel()[-1] == "execution.cancelled"
    assert run.state.approval is ApprovalStatus.VOIDED


def test_an_answer_during_a_cancel_changes_nothing() -> None:
    """While what runs is being stopped an answer is recorded as too late, and starts nothing."""
    run = Run(step("a", **GATE), step("b"))
    run.request()
    run.start("b")
    run.cancel()
    assert run.vote("alice", "a") == ["approval.refused"]
    assert run.statuses == {"a": "cancelled", "b": "stopping"}


def test_what_changes_voids_an_open_round() -> None:
    """A change of what will run asks anew under another hash; the old hash does not count."""
    policies = {"approval": {"quorum": 2}}
    run = Run(step("a", parameters={"x": 1}), policies=policies)
    run.request()
    run.vote("alice")
    old = run.gate().subject_hash
    run.change(step("a", parameters={"x": 2}), policies=policies)
    assert run.vote("mallory", subject_hash="0" * 64) == [
        "approval.voided",
        "approval.requested",
        "notification.raised",
        "approval.refused",
    ]
    assert (run.gate().round, run.gate().votes) == (2, ())
    assert run.vote("bob", subject_hash=old) == ["approval.refused"]
    assert run.vote("alice") == ["approval.voted"]
    assert run.vote("bob")[0] == "approval.granted"


@pytest.mark.parametrize("gate", ["workflow", "a"])
def test_an_approval_of_what_has_changed_starts_nothing(gate: str) -> None:
    """An answer for what was asked does not count for what would run now; that is asked anew."""

    def defined(x: int) -> tuple[dict[str, Any], dict[str, Any]]:
        rule = GATE if gate == "a" else {}
        return step("a", parameters={"x": x}, **rule), {} if rule else {"policies": GATE}

    only, fields = defined(1)
    run = Run(only, **fields)
    run.request()
    only, fields = defined(2)
    run.change(only, **fields)
    assert run.vote("alice", gate) == [
        "approval.voided",
        "approval.requested",
        "notification.raised",
        "approval.refused",
    ]
    assert run.statuses == {"a": "pending"}
    assert run.vote("alice", gate)[0] == "approval.granted"
    assert run.the(ev.StepScheduled).parameters == {"x": 2}


def test_the_simple_form_needs_a_hash_once_something_changed() -> None:
    """An answer without a hash is for the first round alone."""
    run = Run(step("a"), policies={"approval_required": True})
    run.request()
    run.change(step("a", timeout_s=7), policies={"approval_required": True})
    assert run.answer(True) == ["approval.voided", "approval.requested", "approval.refused"]
    assert run.answer(True) == []
    assert run.vote("alice")[0] == "approval.granted"


def test_a_retry_of_something_else_is_asked_for() -> None:
    """An attempt that would run something else waits for its own approval, and then runs."""
    run = retry_of_something_else()
    assert run.statuses == {"a": "retrying"}
    assert run.vote("alice", "a") == ["approval.granted", "step.scheduled"]
    assert run.step("a").attempt == 2


def test_a_retry_of_something_else_can_be_rejected() -> None:
    """A rejection of the changed attempt fails the step."""
    run = retry_of_something_else("rejected")
    assert run.statuses == {"a": "failed"}


def turn_of(run: Run) -> Turn:
    return Turn(run.program, run.state, run.now + 1)


def test_who_changed_what_runs_may_not_approve_it() -> None:
    """A round voided by somebody bars them from the next one."""
    run = Run(step("a"), policies=GATE)
    run.request()
    turn = turn_of(run)
    void(turn, "workflow", "other inputs", by=Actor(id="bob"))
    ask(turn, "workflow", run.gate().rule)
    assert turn.state.gates["workflow"].barred == ("bob",)
    run._state = turn.state
    run.vote("bob")
    assert "changed what runs" in run.the(ev.ApprovalRefused).reason
    assert run.vote("alice")[0] == "approval.granted"


def test_a_gate_by_another_name_holds_a_part_of_a_step() -> None:
    """A gate between batches is about one step and the targets of the batch, for as long as the
    step is open."""
    run = Run(step("a"), step("b"))
    run.request()
    run.start("a")
    turn = turn_of(run)
    ask(turn, "a.batch2", Run(step("a"), policies=GATE).template.policies.approval, "a", ("web-2",))  # type: ignore[arg-type]
    settle(turn)
    run._state = turn.state
    assert dict(open_gates(run.state))["a.batch2"].targets == ("web-2",)
    assert run.vote("alice", "a.batch2") == ["approval.granted"]
    turn = turn_of(run)
    ask(turn, "a.batch3", run.gate("a.batch2").rule, "a", ("web-3",))
    run._state = turn.state
    assert "approval.voided" in run.finish("a")


def test_a_step_that_waits_no_more_is_not_asked_about() -> None:
    """A gate before a step that something else has settled is void."""
    run = Run(step("a", **GATE), step("b"))
    run.request()
    turn = turn_of(run)
    turn.emit(ev.StepSkipped(step="a", reason="by hand"))
    settle(turn)
    assert turn.state.gates["a"].status is ApprovalStatus.VOIDED


def test_what_was_asked_before_gates_had_names_can_be_answered() -> None:
    """A stored execution that waits for the approval of an earlier release goes on with it."""
    for approved, status in ((True, "running"), (False, "cancelled")):
        run = Run(step("a"), policies={"approval_required": True})
        run.request()
        kept = run.state.model_dump()
        del kept["gates"], kept["template_author"]
        run._state = ExecutionState.model_validate(kept)
        assert [name for name, _ in open_gates(run.state)] == ["workflow"]
        strange = msg.ApprovalAnswered(approved=True, subject_hash="0" * 64)
        assert run.tell(strange) == ["approval.refused"]
        run.answer(approved)
        assert run.status == status


def test_an_unknown_gate_is_ignored() -> None:
    """Answers and delegations at a gate that nobody asked at decide nothing."""
    run = Run(step("a"))
    run.request()
    assert run.tell(msg.ApprovalAnswered(gate="x", approved=True)) == []
    assert run.tell(msg.ApprovalDelegated(gate="x", to="bob")) == []


@pytest.mark.parametrize("name", ["workflow"])
def test_no_step_takes_the_name_of_the_workflows_gate(name: str) -> None:
    """A step of that name has no gate of its own."""
    with pytest.raises(Exception, match="the name of the workflow"):
        compile_template(template(step(name, **GATE)))


# Together with the rest of control flow


def test_a_loop_is_asked_about_once() -> None:
    """A gate before a loop shows what it runs over, and lets all of its instances go."""
    run = Run(
        step("a"),
        step(
            "b",
            "a",
            foreach={"items": "steps.a.output.hosts"},
            parameters={"x": "${{ item }}"},
            **GATE,
        ),
    )
    run.request()
    run.succeed("a", hosts=["web", "db"])
    assert run.statuses == {"a": "completed", "b": "pending"}
    (shown,) = subject_of(run.program, run.state, "b", run.gate("b")).steps
    assert (shown.items, shown.parameters) == (["web", "db"], {"x": "${{ item }}"})
    assert run.vote("alice", "b").count("step.scheduled") == 2
    assert list(run.state.gates) == ["b"]


def test_a_loop_over_nothing_sensible_is_shown_without_items() -> None:
    """What it runs over cannot be made: the loop fails when it begins, not the question."""
    run = Run(step("a"), step("b", "a", foreach={"items": "steps.a.output.no"}, **GATE))
    run.request()
    run.succeed("a")
    (shown,) = subject_of(run.program, run.state, "b", run.gate("b")).steps
    assert shown.items is None
    run.vote("alice", "b")
    assert run.statuses["b"] == "failed"


def test_a_sub_workflow_is_asked_about_by_its_version() -> None:
    """A gate before a sub-workflow shows which version is called, and it is called when granted."""
    called = {"template": "other", "version": "1.2.0"}
    run = Run({"id": "a", "workflow": called, **GATE})
    run.request()
    (shown,) = subject_of(run.program, run.state, "a", run.gate("a")).steps
    assert shown.flow == {"workflow": called}
    assert "step.called" in run.vote("alice", "a")


def test_a_handler_asks_while_the_execution_fails() -> None:
    """A gate before a handler stays open during the failure that it handles; others are void."""
    run = Run(
        step("a"),
        step("b", **GATE),
        on_failure=[step("mend", **GATE)],
    )
    run.request()
    run.fail("a", retryable=False)
    assert [name for name, _ in open_gates(run.state)] == ["mend"]
    assert "step.scheduled" in run.vote("alice", "mend")
    run.succeed("mend")
    assert run.status == "failed"


@pytest.mark.parametrize(
    ("policies", "asks"), [({}, False), ({"approval_required": True}, True), (GATE, True)]
)
def test_a_template_tells_whether_it_asks_first(policies: dict[str, Any], asks: bool) -> None:
    """Lists of templates say which need approval, by either form."""
    assert template(step("a"), policies=policies).policies.asks_first is asks


def test_a_region_takes_its_open_gates_with_it() -> None:
    """Where a region is cancelled in the turn in which a gate of it asked, the gate is void at
    once."""
    flow = {"cases": [{"when": "true", "then": ["x"]}]}
    asked = Run(
        step("a", region="r", **GATE),
        {"id": "route", "switch": flow, "cancels": ["r"]},
        step("x"),
    )
    asked.request()
    assert asked.statuses["a"] == "cancelled"
    assert asked.gate("a").status is ApprovalStatus.VOIDED
