"""What the events of gates mean for the state. They decide nothing.

The gate before everything moves the execution, too: until it is granted, nothing has started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.workflow import events as ev
from shared.workflow.gate_state import MAX_REFUSALS, WORKFLOW_GATE, GateState, Refusal, Vote
from shared.workflow.machines.approval import APPROVAL, ApprovalStatus
from shared.workflow.machines.execution import EXECUTION
from shared.workflow.state import ExecutionState
from shared.workflow.trusted import renewed

Changes = dict[str, Any]
Fold = Callable[[GateState, Any, int], Changes]

_UNCHANGED: Final = GateState()


def _fold(state: ExecutionState, event: ev.GateEvent, at_ms: int) -> Changes:
    before = gate_of(state, event.gate)
    status = APPROVAL.next(before.status, event.type)
    gate = renewed(before, {**_FOLDS[type(event)](before, event, at_ms), "status": status})
    changes: Changes = {"gates": {**state.gates, event.gate: gate}}
    if event.gate == WORKFLOW_GATE and status is not before.status:
        changes |= _moved(state, event, status)
    return changes


def _moved(state: ExecutionState, event: ev.GateEvent, status: ApprovalStatus) -> Changes:
    """What it means for the execution; one that is being stopped is moved by that alone."""
    changes: Changes = {"approval": status}
    if state.stop is None:
        changes["status"] = EXECUTION.next(state.status, event.type)
    if isinstance(event, ev.GateAnswer):
        changes["approved_by"] = event.by
    if isinstance(event, ev.ApprovalKept):
        changes["approved_by"] = event.kept.votes[-1].by if event.kept.votes else None
    return changes


def gate_of(state: ExecutionState, name: str) -> GateState:
    """A gate as it stands; what was asked before gates had names is the one before everything."""
    gate = state.gates.get(name)
    if gate is None and name == WORKFLOW_GATE:
        asked = 0 if state.approval is ApprovalStatus.NONE else 1
        return GateState(status=state.approval, round=asked)
    return gate or _UNCHANGED


def _requested(before: GateState, event: ev.ApprovalRequested, at_ms: int) -> Changes:
    """A round begins: of the one before it stays who is barred, and who answers for whom."""
    return {
        **GateState().__dict__,
        "round": event.round,
        "step": event.step,
        "targets": event.targets,
        "rule": event.rule,
        "subject_hash": event.subject_hash,
        "requested_at_ms": at_ms,
        "barred": before.barred,
        "delegated": before.delegated,
    }


def _vote(before: GateState, event: ev.GateAnswer, at_ms: int, *, approved: bool) -> Changes:
    vote = Vote(
        by=event.by,
        approved=approved,
        at_ms=at_ms,
        subject_hash=event.subject_hash,
        comment=event.comment,
        key=event.key,
        for_whom=event.for_whom,
    )
    return {"votes": (*before.votes, vote)}


def _voted(before: GateState, event: ev.ApprovalVoted | ev.ApprovalGranted, at_ms: int) -> Changes:
    changes = _vote(before, event, at_ms, approved=True)
    return changes | {"input": event.input, "subject_hash": event.bound or before.subject_hash}


def _granted(before: GateState, event: ev.ApprovalGranted, at_ms: int) -> Changes:
    return _voted(before, event, at_ms) | {"closed_at_ms": at_ms}


def _rejected(before: GateState, event: ev.ApprovalRejected, at_ms: int) -> Changes:
    return _vote(before, event, at_ms, approved=False) | {"closed_at_ms": at_ms}


def _refused(before: GateState, event: ev.ApprovalRefused, _at_ms: int) -> Changes:
    refusal = Refusal(
        by=event.by, reason=event.reason, subject_hash=event.subject_hash, key=event.key
    )
    return {"refusals": (*before.refusals, refusal)[-MAX_REFUSALS:]}


def _delegated(before: GateState, event: ev.ApprovalDelegated, _at_ms: int) -> Changes:
    others = {who: to for who, to in before.delegated.items() if who != event.by.id}
    back = event.to == event.by.id
    return {"delegated": others if back else {**others, event.by.id: event.to}}


def _escalated(_before: GateState, _event: ev.ApprovalEscalated, _at_ms: int) -> Changes:
    return {"escalated": True}


def _reminded(_before: GateState, event: ev.ApprovalReminded, _at_ms: int) -> Changes:
    return {"reminders": event.number}


def _kept(_before: GateState, event: ev.ApprovalKept, at_ms: int) -> Changes:
    kept = event.kept
    return {
        "round": event.round,
        "step": kept.step,
        "targets": kept.targets,
        "rule": kept.rule,
        "subject_hash": event.subject_hash,
        "requested_at_ms": at_ms,
        "closed_at_ms": at_ms,
        "input": kept.input,
        "votes": kept.votes,
        "kept_from": kept.execution_id,
    }


def _closed(_before: GateState, _event: ev.ApprovalExpired, at_ms: int) -> Changes:
    return {"closed_at_ms": at_ms}


def _voided(before: GateState, event: ev.ApprovalVoided, at_ms: int) -> Changes:
    barred = {*before.barred, event.by.id} if event.by is not None else before.barred
    return {"closed_at_ms": at_ms, "barred": tuple(sorted(barred))}


_FOLDS: Final[Mapping[type, Fold]] = {
    ev.ApprovalRequested: _requested,
    ev.ApprovalVoted: _voted,
    ev.ApprovalGranted: _granted,
    ev.ApprovalRejected: _rejected,
    ev.ApprovalRefused: _refused,
    ev.ApprovalDelegated: _delegated,
    ev.ApprovalEscalated: _escalated,
    ev.ApprovalReminded: _reminded,
    ev.ApprovalExpired: _closed,
    ev.ApprovalVoided: _voided,
    ev.ApprovalKept: _kept,
}

GATE_FOLDS: Final = dict.fromkeys(_FOLDS, _fold)
"""For `evolve`: what to do with each event of a gate."""
