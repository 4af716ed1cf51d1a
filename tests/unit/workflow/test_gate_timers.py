"""Reminders, escalation and expiry of gates."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.workflow import events as ev
from shared.workflow.approval_rule import Approval
from shared.workflow.gate_timers import MAX_REMINDERS
from shared.workflow.messages import Actor
from tests.unit.workflow.scenario import Run, step

BOSSES = {"groups": ["bosses"]}


def asked(**rule: Any) -> Run:
    run = Run(step("a"), policies={"approval": rule})
    run.requested_by = Actor(id="ryan")
    run.request()
    return run


def test_approvers_are_reminded_until_a_bound() -> None:
    """Reminders are told and counted, and cease at a bound."""
    run = asked(remind_every_s=10)
    for number in range(1, MAX_REMINDERS + 1):
        types = run.fire("remind-workflow")
        assert types[:3] == ["timer.cleared", "approval.reminded", "notification.raised"]
        assert run.the(ev.ApprovalReminded).number == number
    assert run.state.timers == {}


def test_others_are_asked_after_a_delay() -> None:
    """After the delay those of `escalate_to` may answer, too."""
    rule = {"approvers": {"users": ["bob"]}, "escalate_after_s": 30, "escalate_to": BOSSES}
    run = asked(**rule)
    run.vote("bea", groups=("bosses",))
    assert "not among the approvers: user bob" in run.the(ev.ApprovalRefused).reason
    assert run.fire("escalate-workflow") == [
        "timer.cleared",
        "approval.escalated",
        "notification.raised",
    ]
    run.vote("mallory")
    assert "user bob; group bosses" in run.the(ev.ApprovalRefused).reason
    assert run.vote("bea", groups=("bosses",))[0] == "approval.granted"
    assert run.state.timers == {}


def test_what_expires_is_not_approved() -> None:
    """An expired gate ends the workflow, an expired step fails; late answers change nothing."""
    run = asked(expires_after_s=60, remind_every_s=100)
    assert run.fire("expire-workflow")[-1] == "execution.cancelled"
    assert run.state.stop is not None
    assert (run.state.stop.reason, run.state.timers) == ("was not approved in time", {})
    run = Run(step("a", approval={"expires_after_s": 60}, continue_on_failure=True), step("b"))
    run.request()
    run.fire("expire-a")
    failure = run.step("a").failure
    assert failure is not None
    assert failure.code == "approval_expired"
    assert run.vote("bob", "a") == ["approval.refused"]
    assert run.the(ev.ApprovalRefused).reason == "it has expired"


def test_expiry_can_escalate_once() -> None:
    """With `on_expiry: escalate` others are asked for the same time again, then it is over."""
    run = asked(
        approvers={"users": ["bob"]},
        expires_after_s=60,
        on_expiry="escalate",
        escalate_to=BOSSES,
    )
    assert run.fire("expire-workflow") == [
        "timer.cleared",
        "approval.escalated",
        "notification.raised",
        "timer.set",
    ]
    assert run.fire("expire-workflow")[-1] == "execution.cancelled"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"quorum": 2, "approvers": {"users": ["bob"]}}, "only 1 users may answer"),
        ({"escalate_after_s": 5}, "escalate_to goes with"),
        ({"escalate_to": BOSSES}, "escalate_to goes with"),
        ({"on_expiry": "escalate", "escalate_to": BOSSES}, "goes with expires_after_s"),
        (
            {
                "on_expiry": "escalate",
                "expires_after_s": 9,
                "escalate_after_s": 5,
                "escalate_to": BOSSES,
            },
            "not both",
        ),
        (
            {"expires_after_s": 5, "escalate_after_s": 5, "escalate_to": BOSSES},
            "must come before expires_after_s",
        ),
        ({"on_expiry": "approve"}, "reject"),
        ({"approvers": {"roles": ["viewer"]}}, "operator"),
    ],
)
def test_rules_that_cannot_work_are_refused(rule: dict[str, Any], words: str) -> None:
    """A rule that could never be met, or says two things, is an error of the definition."""
    with pytest.raises(ValidationError, match=words):
        Approval.model_validate(rule)
