"""Who suggested, started, approved and changed an execution, by its history alone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.provenance import Deed, provenance
from shared.workflow.replay import HistoryEntry
from shared.workflow.risk_verdict import RiskVerdict

ANN = msg.Actor(id="ann")
BEE = msg.Actor(kind="agent", id="bee-1")
CRON = msg.Actor(kind="schedule", id="nightly")


def deeds(message: msg.JournalMessage, *events: ev.AnyEvent) -> list[Deed]:
    return list(provenance([HistoryEntry(seq=7, at_ms=70, message=message, events=events)]))


def request(**fields: Any) -> msg.ExecutionRequested:
    return msg.ExecutionRequested(template_id="t", template_version="1.0.0", **fields)


def test_who_suggested_and_who_started() -> None:
    """An agent proposed it and a person, a schedule or an alert started it."""
    suggested, started = deeds(request(requested_by=ANN, suggested_by=BEE))
    assert (suggested.role, suggested.by) == ("suggested", BEE)
    assert (started.role, started.by, started.seq, started.at_ms) == ("started", ANN, 7, 70)
    (alone,) = deeds(request(requested_by=CRON))
    assert (alone.role, alone.by, alone.parent) == ("started", CRON, None)


def test_the_parent_that_called_it_is_named() -> None:
    """A sub-workflow was started by a step of another execution."""
    parent = msg.Parent(execution_id="ex_1", step="call", attempt=2, root="ex_0", depth=2)
    (started,) = deeds(request(parent=parent))
    assert started.parent == parent


APPROVE = {"decision": "approve", "by": "template", "rule": "counts.warning > 0"}


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ({}, ""),
        ({"failure": 0.25}, ", 25% predicted to fail"),
        (APPROVE, "; must be approved for a rule of the template: `counts.warning > 0`"),
        (
            {**APPROVE, "reason": "always"},
            "; must be approved for a rule of the template: always",
        ),
    ],
)
def test_how_it_was_looked_at_is_told(verdict: dict[str, Any], words: str) -> None:
    """With what was predicted, and whose rule wants people to approve it."""
    looked = RiskVerdict(level="strict", warnings=2, **verdict)
    (started,) = deeds(request(requested_by=ANN, verdict=looked))
    assert started.detail == f"looked at on level strict: 0 errors and 2 warnings{words}"


def test_what_caused_it_is_named() -> None:
    """The schedule, rule or alert that asked for it; nothing where a person did by hand."""
    cause = msg.Cause(kind="scheduled", source="sc_1", moment_ms=5, chain=("sc_1",))
    (started,) = deeds(request(requested_by=CRON, trigger=cause))
    assert started.cause == cause
    assert deeds(request(requested_by=ANN))[0].cause is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (msg.CancelRequested(by=ANN, reason="no"), ("cancel_requested", "", "no")),
        (msg.PauseRequested(by=ANN), ("pause_requested", "", "")),
        (msg.ResumeRequested(by=ANN), ("resume_requested", "", "")),
        (
            msg.LostResolved(step="a", attempt=1, verdict="failed", by=ANN),
            ("lost_resolved", "a", "failed"),
        ),
        (msg.SignalReceived(id="s", name="go", by=ANN), ("signal_received", "go", "")),
        (
            msg.InstancesAdded(step="each", after=1, items=(1,), by=ANN),
            ("instances_added", "each", ""),
        ),
        (
            msg.RegionCancelRequested(region="r", by=ANN, reason="late"),
            ("region_cancel_requested", "r", "late"),
        ),
    ],
)
def test_whoever_changed_it(message: msg.JournalMessage, expected: tuple[str, str, str]) -> None:
    """Every message that says by whom it was sent is a change, with what it is about and why."""
    (deed,) = deeds(message)
    assert (deed.role, deed.by) == ("changed", ANN)
    assert (deed.what, deed.step, deed.detail) == expected


def test_every_message_by_somebody_is_told() -> None:
    """A message that is added later appears by itself: whatever has a `by` is in the provenance."""
    of_executions = [k for k in msg.Message.__subclasses__() if k.__module__ == msg.__name__]
    for kind in of_executions:
        if "by" in kind.model_fields and kind is not msg.ApprovalMessage:
            fields: dict[str, Any] = {"by": ANN, "step": "a", "attempt": 1, "verdict": "failed"}
            fields |= {"id": "i", "name": "n", "after": 0, "items": (), "region": "r"}
            message: Any = kind.model_construct(**fields)
            entry = HistoryEntry.model_construct(seq=1, at_ms=1, message=message, events=())
            assert [deed.by for deed in provenance([entry])] == [ANN], kind


def test_answers_to_gates() -> None:
    """Approvals with their comment and gate, rejections, delegations, and whether they counted."""
    (approved,) = deeds(msg.ApprovalAnswered(by=ANN, approved=True, comment="ok", gate="deploy"))
    assert (approved.role, approved.what, approved.step, approved.detail) == (
        "approved",
        "approved",
        "deploy",
        "ok",
    )
    (rejected,) = deeds(msg.ApprovalAnswered(by=ANN, approved=False))
    assert (rejected.what, rejected.step, rejected.counted) == ("rejected", "", True)
    (delegated,) = deeds(msg.ApprovalDelegated(by=ANN, to="bob"))
    assert (delegated.role, delegated.what) == ("approved", "approval_delegated")
    refused = ev.ApprovalRefused(by=ANN, reason="late", gate="workflow")
    message = msg.ApprovalAnswered(by=ANN, approved=True)
    entry = HistoryEntry.model_construct(seq=1, at_ms=1, message=message, events=(refused,))
    assert [deed.counted for deed in provenance([entry])] == [False]


def test_reports_and_timers_are_nobodys_deed() -> None:
    """What agents report and what time does changes it too, but nobody did it."""
    assert deeds(msg.TimerFired(timer="x", generation=1)) == []
    assert deeds(msg.AttemptFinished(step="a", attempt=1, outcome="succeeded")) == []
