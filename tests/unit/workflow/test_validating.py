"""Executions that somebody has to look at before they begin."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow.approval_rule import Approval
from shared.workflow.messages import (
    Actor,
    CancelRequested,
    MarkRequested,
    Parent,
    PauseRequested,
    RegionCancelRequested,
    RunValidated,
)
from shared.workflow.risk_verdict import RiskVerdict
from shared.workflow.validation_events import ExecutionValidating
from tests.simulation.checked import Transition
from tests.unit.workflow.scenario import Run, step

PARENT = Parent(execution_id="x0", step="call", attempt=1, root="x0", depth=1)


def validating_ways() -> set[Transition]:
    """The transitions of a run that is looked at."""
    run = unvalidated(step("a"))
    run.tell(RunValidated())
    return run.seen


def unvalidated(*steps: dict[str, Any], parent: Parent | None = None, **fields: Any) -> Run:
    """A run that nobody has looked at."""
    run = Run(*steps, **fields)
    run.request_with({}, to_validate=True, parent=parent)
    return run


def test_nothing_starts_before_it_was_looked_at() -> None:
    """It waits, at the level of its template; then it begins."""
    run = unvalidated(step("a"), policies={"validation": {"level": "strict"}})
    assert run.types == ["execution.created", "execution.validating"]
    assert run.the(ExecutionValidating).level == "strict"
    assert (run.status, run.statuses) == ("waiting", {"a": "pending"})
    assert run.state.started_at_ms == 0
    verdict = RiskVerdict(level="strict", warnings=2)
    types = run.tell(RunValidated(verdict=verdict))
    assert types[:2] == ["execution.validated", "execution.started"]
    assert run.state.verdict == verdict
    assert not run.state.validating
    run.succeed("a")
    assert run.status == "completed"


def test_what_is_refused_fails_before_anything_has_run() -> None:
    """With what was found as its failure; nothing of it is left open."""
    run = unvalidated(step("a"), step("b", "a"))
    run.tell(RunValidated(refused="2 errors: no-such-command at steps/0"))
    assert run.status == "failed"
    assert run.state.failure is not None
    assert run.state.failure.code == "refused_by_validation"
    assert "no-such-command" in run.state.failure.message
    assert run.statuses == {"a": "skipped", "b": "skipped"}
    assert run.state.open == 0


HANDLED: dict[str, Any] = {
    "on_failure": [step("mend")],
    "finally": [step("tidy")],
    "policies": {"rollback": {"on_failure": True, "on_cancel": True}},
}


@pytest.mark.parametrize(
    "message", [RunValidated(refused="no"), CancelRequested(by=Actor(id="olga"))]
)
def test_no_handler_runs_of_what_nobody_let_go(message: Any) -> None:
    """Neither `on_failure` nor `finally`, and nothing is rolled back: nothing was done."""
    run = unvalidated(step("a"), **HANDLED)
    types = run.tell(message)
    assert run.state.ended
    assert set(run.statuses.values()) <= {"skipped", "cancelled"}
    assert "execution.rollback_requested" not in types
    assert "execution.handling" not in types


def test_who_looks_may_want_it_approved() -> None:
    """A run that the risk gate wants approved asks people, and begins when they say so."""
    run = unvalidated(step("a"))
    verdict = RiskVerdict(level="standard", decision="approve", approval=Approval())
    types = run.tell(RunValidated(verdict=verdict))
    assert types[:2] == ["execution.validated", "approval.requested"]
    assert run.status == "waiting"
    run.vote("olga", "workflow")
    assert run.step("a").status.value == "scheduled"


def test_the_approval_of_the_template_comes_after_it() -> None:
    """Nobody is asked to approve what is refused."""
    run = unvalidated(step("a"), policies={"approval_required": True})
    assert "approval.requested" not in run.types
    run.tell(RunValidated())
    assert "approval.requested" in run.types


def test_a_second_answer_changes_nothing() -> None:
    """Answers may come twice, or when it has been decided otherwise."""
    run = unvalidated(step("a"))
    run.tell(RunValidated())
    assert run.tell(RunValidated(refused="late")) == []
    assert run.step("a").status.value == "scheduled"


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    """Of what was looked at before it was asked for nobody else says whether it may run."""
    run = Run(step("a"))
    run.request()
    assert run.tell(RunValidated(refused="no")) == []


def test_it_can_be_cancelled_meanwhile() -> None:
    """Then the answer comes too late."""
    run = unvalidated(step("a"))
    run.tell(CancelRequested(by=Actor(id="olga")))
    assert run.status == "cancelled"
    assert run.tell(RunValidated()) == []


@pytest.mark.parametrize(
    "message",
    [
        PauseRequested(by=Actor(id="olga")),
        RegionCancelRequested(region="r", by=Actor(id="olga")),
        MarkRequested(step="a", verdict="completed", by=Actor(id="olga")),
    ],
)
def test_nothing_else_moves_it(message: Any) -> None:
    """There is nothing yet to pause, to cancel in part or to mark."""
    run = unvalidated(step("a", region="r"), step("b", "a"))
    assert run.tell(message) == []
    run.tell(RunValidated())
    assert run.step("a").status.value == "scheduled"


@pytest.mark.parametrize(
    ("policy", "looked_at"),
    [
        ({}, False),
        ({"level": "basic"}, False),
        ({"level": "strict"}, True),
        ({"level": "paranoid"}, True),
        ({"gate": [{"when": "true", "then": "run"}]}, True),
    ],
)
def test_a_call_is_looked_at_where_it_asks_for_more(policy: Any, looked_at: bool) -> None:
    """What needs no more than static rules was looked at with its parent."""
    run = unvalidated(step("a"), parent=PARENT, policies={"validation": policy})
    assert run.state.validating is looked_at


def test_a_call_with_wrong_parameters_is_not_looked_at() -> None:
    """It fails at once, as ever."""
    fields = {"parameters": {"n": {"type": "integer", "required": True}}}
    run = unvalidated(
        step("a"), parent=PARENT, policies={"validation": {"level": "strict"}}, **fields
    )
    assert run.status == "failed"
    assert run.state.failure is not None
    assert run.state.failure.code == "invalid_parameters"
