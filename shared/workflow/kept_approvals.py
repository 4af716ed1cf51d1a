"""Approvals that a re-run keeps: what was approved is exactly what would run now.

The hash of the old round is made again from what would run now. It must be the same, and nobody may
have approved what is now their own request.
"""

from __future__ import annotations

from shared.workflow import events as ev
from shared.workflow.approval_rule import Approval
from shared.workflow.approval_subject import ApprovalSubject, subject_of
from shared.workflow.gate_state import GateState
from shared.workflow.kept import KeptApproval
from shared.workflow.state import ExecutionState
from shared.workflow.trusted import renewed
from shared.workflow.turn import Turn


def keep_approval(turn: Turn, name: str, rule: Approval, targets: tuple[str, ...] = ()) -> bool:
    """True when a gate that nobody was asked about yet is granted as it was before."""
    rerun = turn.state.rerun
    if rerun is None or name in turn.state.gates:
        return False
    kept = next((one for one in rerun.approvals if one.gate == name), None)
    if kept is None or (kept.rule, kept.targets) != (rule, targets):
        return False
    if not may_count(kept, turn.state.requested_by.id):
        return False
    if _subject(turn, kept, kept.round).digest != kept.subject_hash:
        return False
    digest = _now(turn, kept).digest
    turn.emit(ev.ApprovalKept(gate=name, subject_hash=digest, kept=kept))
    return True


def may_count(kept: KeptApproval, requester: str) -> bool:
    """Whoever asks for the re-run is not who approved it, unless that is allowed."""
    if kept.rule.allow_self_approval:
        return True
    return all(requester not in (vote.by.id, vote.for_whom) for vote in kept.votes)


def _subject(turn: Turn, kept: KeptApproval, number: int) -> ApprovalSubject:
    """What would run now, as the old round would have asked about it."""
    subject = subject_of(turn.program, *_granted(turn, kept, number), steps=kept.steps)
    return subject.model_copy(update={"execution_id": kept.execution_id})


def _now(turn: Turn, kept: KeptApproval) -> ApprovalSubject:
    return subject_of(turn.program, *_granted(turn, kept, 1))


def _granted(turn: Turn, kept: KeptApproval, number: int) -> tuple[ExecutionState, str, GateState]:
    gate = GateState(round=number, step=kept.step, targets=kept.targets, input=kept.input)
    gates = {**turn.state.gates, kept.gate: gate}
    return renewed(turn.state, {"gates": gates}), kept.gate, gate
