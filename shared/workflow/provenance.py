"""Provenance: who or what suggested, started, approved and changed an execution.

It is read from the history alone, and from the messages' own `by`: a message that is added to the
journal later, and says by whom it was sent, appears here by itself. Reports of agents and timers
are what happened, not what somebody did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.workflow import messages as msg
from shared.workflow.gate_events import ApprovalRefused
from shared.workflow.replay import HistoryEntry
from shared.workflow.risk_verdict import RiskVerdict

Role = Literal["suggested", "started", "approved", "changed"]


class Deed(BaseModel):
    """Something that somebody did to an execution; times in epoch milliseconds.

    `what` is the type of the message, `approved` or `rejected`; `detail` is the reason or comment
    that was given, and of a start what was found beforehand. `parent` is the step of another
    execution that started this one, `cause` the schedule, rule or alert that did. `counted` is
    false for an answer to a gate that did not count.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    what: str
    by: msg.Actor
    at_ms: int
    seq: int
    step: str = ""
    detail: str = ""
    parent: msg.Parent | None = None
    cause: msg.Cause | None = None
    counted: bool = True


def provenance(history: Iterable[HistoryEntry]) -> Iterator[Deed]:
    """What was done to an execution, in order."""
    for entry in history:
        message = entry.message
        if isinstance(message, msg.ExecutionRequested):
            yield from _begun(entry, message)
        elif isinstance(message, msg.ApprovalMessage):
            yield _answer(entry, message)
        elif isinstance(by := getattr(message, "by", None), msg.Actor):
            yield _deed(entry, "changed", message.type, by)


def _begun(entry: HistoryEntry, request: msg.ExecutionRequested) -> Iterator[Deed]:
    if request.suggested_by is not None:
        yield _deed(entry, "suggested", request.type, request.suggested_by)
    started = _deed(entry, "started", request.type, request.requested_by)
    cause = request.trigger if request.trigger != msg.Cause() else None
    words = {"detail": _looked_at(request.verdict)} if request.verdict is not None else {}
    yield started.model_copy(update={"parent": request.parent, "cause": cause, **words})


def _looked_at(verdict: RiskVerdict) -> str:
    """What was found beforehand, in words."""
    found = f"{verdict.errors} errors and {verdict.warnings} warnings"
    words = f"looked at on level {verdict.level}: {found}"
    if verdict.failure is not None:
        words += f", {verdict.failure:.0%} predicted to fail"
    if verdict.decision == "approve":
        why = verdict.reason or f"`{verdict.rule}`"
        words += f"; must be approved for a rule of the {verdict.by}: {why}"
    return words


def _answer(entry: HistoryEntry, answer: msg.ApprovalMessage) -> Deed:
    if isinstance(answer, msg.ApprovalAnswered):
        what = "approved" if answer.approved else "rejected"
    else:
        what = entry.message.type
    counted = not any(isinstance(event, ApprovalRefused) for event in entry.events)
    deed = _deed(entry, "approved", what, answer.by)
    gate = "" if answer.gate == "workflow" else answer.gate
    return deed.model_copy(update={"step": gate, "counted": counted})


def _deed(entry: HistoryEntry, role: Role, what: str, by: msg.Actor) -> Deed:
    message = entry.message
    named = (getattr(message, field, "") for field in ("step", "region", "name", "target"))
    detail = (getattr(message, field, "") for field in ("reason", "comment", "verdict"))
    return Deed(
        role=role,
        what=what,
        by=by,
        at_ms=entry.at_ms,
        seq=entry.seq,
        step=next((name for name in named if isinstance(name, str) and name), ""),
        detail=next((text for text in detail if isinstance(text, str) and text), ""),
    )
