"""What people say to a gate, and whether it counts.

* Who answers is who the gateway authenticated; the message carries the key's role and groups.
* An approval names the hash of what it approves. One that names another, or none where that could
  be in doubt, does not count.
* The quorum counts people: one who answers twice, or for several who handed over their votes,
  counts once. One rejection is enough.
* Without `allow_self_approval` neither who asked for the run nor who wrote or changed what runs
  may answer, nor may a vote be handed to them.
* What the first approver fills in becomes part of the subject, under a new hash: whoever answers
  after that approves it, too.
* An answer that does not count is recorded with the reason, once.
"""

from __future__ import annotations

from typing import Any

from shared.workflow import events as ev
from shared.workflow import messages as msg
from shared.workflow.approval_subject import subject_of
from shared.workflow.errors import ParameterError
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import MAX_REFUSALS, GateState, Refusal
from shared.workflow.gates import clear_timers
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.parameters import prepare_values
from shared.workflow.state import ExecutionState
from shared.workflow.trusted import renewed
from shared.workflow.turn import Turn

_CLOSED = {
    ApprovalStatus.GRANTED: "it was granted already",
    ApprovalStatus.REJECTED: "it was rejected already",
    ApprovalStatus.EXPIRED: "it has expired",
    ApprovalStatus.VOIDED: "it is void: what it was about does not run",
}


def answered(turn: Turn, answer: msg.ApprovalAnswered) -> None:
    """A person approves or rejects."""
    gate = gate_of(turn.state, answer.gate)
    if gate.status is ApprovalStatus.NONE or _has_said(gate, answer.by.id, answer.approved):
        return
    reason = why_not(turn.state, gate, answer) or _why_unfit(gate, answer)
    if reason is not None:
        _refuse(turn, gate, answer, reason)
    elif not answer.approved:
        turn.emit(ev.ApprovalRejected(**_said(gate, answer)))
        clear_timers(turn, answer.gate)
    else:
        _approve(turn, gate, answer)


def delegated(turn: Turn, wish: msg.ApprovalDelegated) -> None:
    """A person hands the vote to somebody else, or takes it back."""
    gate = gate_of(turn.state, wish.gate)
    held_by = gate.delegated.get(wish.by.id, wish.by.id)
    if gate.status is ApprovalStatus.NONE or held_by == wish.to:
        return
    reason = why_not_delegate(turn.state, gate, wish)
    if reason is not None:
        _refuse(turn, gate, wish, reason)
    else:
        turn.emit(ev.ApprovalDelegated(**_said(gate, wish), to=wish.to))


def why_not(state: ExecutionState, gate: GateState, who: msg.ApprovalMessage) -> str | None:
    """Why somebody may not answer a gate now; `None` when they may."""
    if gate.status in _CLOSED:
        return _CLOSED[gate.status]
    if _is_barred(state, gate, who.by.id):
        return (
            f"{who.by.id} asked for the run, or wrote or changed what runs; "
            "somebody else must answer"
        )
    if who.by.id in gate.delegated:
        return f"{who.by.id} has handed the vote to {gate.delegated[who.by.id]}"
    if _fits_any(gate, who) or who.by.id in gate.delegated.values():
        return None
    return f"{who.by.id} is not among the approvers: {_listed(gate)}"


def why_not_delegate(
    state: ExecutionState, gate: GateState, wish: msg.ApprovalDelegated
) -> str | None:
    """Why somebody may not hand over a vote; `None` when they may."""
    if gate.status in _CLOSED:
        return _CLOSED[gate.status]
    if any(vote.for_whom == wish.by.id for vote in gate.votes):
        return f"{gate.delegated.get(wish.by.id)} has answered for {wish.by.id} already"
    if any(vote.by.id == wish.by.id for vote in gate.votes):
        return f"{wish.by.id} has answered already"
    if not _fits_any(gate, wish) or _is_barred(state, gate, wish.by.id):
        return f"{wish.by.id} has no vote of their own here"
    if _is_barred(state, gate, wish.to):
        return f"{wish.to} asked for the run, or wrote or changed what runs"
    return None


def missing_hash(gate: GateState, answer: msg.ApprovalAnswered) -> str | None:
    """Why an answer's hash is not the one that counts. A rejection is safe without one."""
    if not answer.subject_hash:
        if answer.approved and gate.needs_hash:
            return "an approval must name the subject_hash of what it approves"
        return None
    if answer.subject_hash != gate.subject_hash:
        return "it is about another subject: what will run has changed since"
    return None


def _why_unfit(gate: GateState, answer: msg.ApprovalAnswered) -> str | None:
    if gate.rule.comment_required and not answer.comment.strip():
        return "a comment is required"
    if not answer.approved:
        return missing_hash(gate, answer)
    try:
        given = filled_in(gate, answer.input)
    except ParameterError as error:
        return f"what was filled in does not fit: {error}"
    if gate.votes and given != gate.input:
        return f"{gate.votes[0].by.id} has filled in something else; reject, or approve that"
    return missing_hash(gate, answer)


def filled_in(gate: GateState, given: dict[str, Any]) -> dict[str, Any]:
    """The complete input of an approval, with null for what may be left out; raises
    `ParameterError`. Who gives none after somebody else has filled it in approves that."""
    if gate.votes and not given:
        return gate.input
    values = prepare_values(gate.rule.form, given, "input")
    return {name: values.get(name) for name in gate.rule.form}


def _approve(turn: Turn, gate: GateState, answer: msg.ApprovalAnswered) -> None:
    given = filled_in(gate, answer.input)
    bound = ""
    if given != gate.input:
        filled = renewed(gate, {"input": given})
        bound = _bound_hash(turn, answer.gate, filled)
    said = _said(gate, answer)
    if len(gate.votes) + 1 < gate.rule.quorum:
        turn.emit(ev.ApprovalVoted(**said, input=given, bound=bound))
        return
    turn.emit(ev.ApprovalGranted(**said, input=given, bound=bound))
    clear_timers(turn, answer.gate)


def _bound_hash(turn: Turn, name: str, filled: GateState) -> str:
    """The subject's hash once its input is known: places that use it are filled in."""
    state = renewed(turn.state, {"gates": {**turn.state.gates, name: filled}})
    return subject_of(turn.program, state, name, filled).digest


def _refuse(turn: Turn, gate: GateState, said: msg.ApprovalMessage, reason: str) -> None:
    """Record it; the same once more, or more than anybody reads, is not recorded."""
    refusal = Refusal(by=said.by, reason=reason, subject_hash=said.subject_hash, key=said.key)
    if refusal not in gate.refusals and len(gate.refusals) < MAX_REFUSALS:
        words = _said(gate, said) | {"subject_hash": said.subject_hash}
        turn.emit(ev.ApprovalRefused(**words, reason=reason))


def _said(gate: GateState, said: msg.ApprovalMessage) -> dict[str, Any]:
    return {
        "gate": said.gate,
        "round": gate.round,
        "by": said.by,
        "comment": said.comment,
        "subject_hash": said.subject_hash or gate.subject_hash,
        "key": said.key,
        "for_whom": _for_whom(gate, said),
    }


def _for_whom(gate: GateState, who: msg.ApprovalMessage) -> str:
    """Whose vote it is, where it is not one's own."""
    if _fits_any(gate, who):
        return ""
    return min((name for name, to in gate.delegated.items() if to == who.by.id), default="")


def _has_said(gate: GateState, who: str, approved: bool) -> bool:
    return any(vote.by.id == who and vote.approved is approved for vote in gate.votes)


def _is_barred(state: ExecutionState, gate: GateState, who: str) -> bool:
    if gate.rule.allow_self_approval:
        return False
    return who in (state.requested_by.id, state.template_author, *gate.barred)


def _fits_any(gate: GateState, who: msg.ApprovalMessage) -> bool:
    return any(approvers.include(who.by.id, who.role, who.groups) for approvers in gate.approvers)


def _listed(gate: GateState) -> str:
    """Who may answer, in words."""
    words = [
        f"{kind} {', '.join(names)}"
        for approvers in gate.approvers
        for kind, names in (
            ("role", approvers.roles),
            ("group", approvers.groups),
            ("user", approvers.users),
        )
        if names
    ]
    return "; ".join(words)
