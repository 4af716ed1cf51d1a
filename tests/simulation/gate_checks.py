"""What must be true of a gate that was granted."""

from __future__ import annotations

from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.state import ExecutionState


def check_granted(state: ExecutionState, name: str) -> None:
    """Enough different people approved, and none of whom it is kept from."""
    gate = state.gates[name]
    assert gate.status is ApprovalStatus.GRANTED, f"{name} is {gate.status.value}"
    voters = [vote.by.id for vote in gate.votes if vote.approved]
    assert len(voters) == len(set(voters)), "somebody counted twice"
    assert len(voters) >= gate.rule.quorum, "too few approved"
    if not gate.rule.allow_self_approval:
        barred = {state.requested_by.id, state.template_author, *gate.barred}
        assert barred.isdisjoint(voters), "it was approved by whom it is about"
    givers = {giver for giver, to in gate.delegated.items()}
    assert all(v.for_whom in givers for v in gate.votes if v.for_whom), "an unknown vote"
    listed = gate.rule.approvers.users
    if listed and not gate.escalated and not gate.rule.approvers.groups:
        assert all(v.for_whom or v.by.id in listed for v in gate.votes), "a stranger counted"
