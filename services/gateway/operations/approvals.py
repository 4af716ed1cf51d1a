"""Approvals: what waits for whom, and what people answer.

The checks here are a courtesy to the caller, on a state that may lag by tens of milliseconds; the
law is in the core, which records an answer that came too late, and why it does not count.
"""

from __future__ import annotations

from typing import Any, Final

from services.gateway import problems
from services.gateway.keys import KeyRing
from services.gateway.operations.appending import append
from services.gateway.operations.approval_views import ApprovalViews, said_by
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.parts import Parts
from services.gateway.permissions import PERMISSIONS, Permission, Principal
from shared.contracts.api.approvals import (
    AnswerBody,
    ApprovalPage,
    DelegateBody,
    ExecutionApprovals,
)
from shared.contracts.api.executions import RequestAccepted
from shared.ports.executions import ExecutionQuery
from shared.workflow.errors import ParameterError
from shared.workflow.gate_answers import filled_in, missing_hash, why_not, why_not_delegate
from shared.workflow.gate_folds import gate_of
from shared.workflow.gate_state import GateState
from shared.workflow.gates import open_gates
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.messages import ApprovalAnswered, ApprovalDelegated, ApprovalMessage
from shared.workflow.state import ExecutionState

_GIVEN: Final = {
    ApprovalStatus.NONE: "it asks for no approval",
    ApprovalStatus.GRANTED: "it was approved already",
    ApprovalStatus.REJECTED: "it was rejected already",
    ApprovalStatus.EXPIRED: "its approval has expired",
    ApprovalStatus.VOIDED: "it asks for no approval any more",
}


class ApprovalOperations:
    """Everything about approvals."""

    def __init__(
        self,
        parts: Parts,
        executions: ExecutionOperations,
        keys: KeyRing,
        programs: GatewayPrograms,
    ) -> None:
        self._parts = parts
        self._executions = executions
        self._keys = keys
        self._views = ApprovalViews(programs, parts.commands)

    async def of_execution(self, execution_id: str, principal: Principal) -> ExecutionApprovals:
        """Every gate of one execution. Raises 404."""
        state = await self._executions.state(execution_id)
        return ExecutionApprovals(items=tuple(await self._views.of(state, principal)))

    async def inbox(
        self, principal: Principal, before: tuple[int, str] | None, limit: int, *, everybody: bool
    ) -> ApprovalPage:
        """Open gates that the principal may answer now, or all of them."""
        query = ExecutionQuery(awaits_approval=True, before=before, limit=limit)
        found = await self._parts.executions.find(query)
        views = []
        for summary in found:
            state = await self._parts.executions.get(summary.id)
            if state is not None and not state.ended:
                views += await self._views.of(state, principal, only_open=True)
        return ApprovalPage(
            items=tuple(view for view in views if everybody or not view.why_not),
            next_cursor=f"{found[-1].created_at_ms}.{found[-1].id}"
            if len(found) == limit
            else None,
        )

    async def answer(
        self, execution_id: str, body: AnswerBody, principal: Principal, *, approved: bool
    ) -> RequestAccepted:
        """Approve or reject. Raises 403, 404, 409 and 422."""
        word = "approved" if approved else "rejected"
        state, name = await self._open_gate(execution_id, body.gate, word, body.subject_hash)
        gate = gate_of(state, name)
        answer = ApprovalAnswered(
            **_who(principal, name),
            approved=approved,
            subject_hash=body.subject_hash or "",
            comment=body.comment,
            input=body.input,
        )
        _check_hash(execution_id, gate, answer)
        _check_person(state, gate, answer)
        if gate.rule.comment_required and not body.comment.strip():
            raise problems.invalid_field("comment", "is required here", "say why")
        if approved:
            _check_input(gate, answer)
        return await self._send(state, "approve" if approved else "reject", answer)

    async def delegate(
        self, execution_id: str, body: DelegateBody, principal: Principal
    ) -> RequestAccepted:
        """Hand one's vote over. Raises 403, 404, 409 and 422."""
        state, name = await self._open_gate(execution_id, body.gate, "delegated")
        wish = ApprovalDelegated(**_who(principal, name), to=body.to, comment=body.comment)
        reason = why_not_delegate(state, gate_of(state, name), wish)
        if reason is not None:
            raise problems.problem("forbidden", f"The vote cannot be handed over: {reason}.")
        await self._check_delegate(body.to)
        return await self._send(state, "delegate", wish)

    async def _check_delegate(self, name: str) -> None:
        able = [
            key.name
            for key in await self._keys.all()
            if not key.revoked_at_ms and Permission.APPROVE in PERMISSIONS[key.role]
        ]
        if name not in able:
            listed = ", ".join(sorted(able)[:20])
            raise problems.invalid_field(
                "to", f"no key in force named {name!r} may approve", f"use one of: {listed}"
            )

    async def _open_gate(
        self, execution_id: str, named: str | None, word: str, subject_hash: str | None = None
    ) -> tuple[ExecutionState, str]:
        """The state and the open gate that is meant: by name, by hash, or because it is alone."""
        state = await self._executions.state(execution_id)
        cannot = f"Execution {execution_id} cannot be {word}"
        if state.over:
            raise problems.conflict(f"{cannot}: it has ended ({state.status.value}).")
        found = dict(open_gates(state)) if state.stop is None else {}
        if named is not None:
            if named not in found:
                raise problems.conflict(f"{cannot} at gate {named!r}: {_why_closed(state, named)}.")
            return state, named
        hit = [name for name, gate in found.items() if gate.subject_hash == subject_hash]
        if len(found) == 1 or len(hit) == 1:
            return state, (hit or list(found))[0]
        if found:
            names = ", ".join(found)
            raise problems.conflict(f"{cannot}: several gates are open. Name one: {names}.")
        last = [gate.status for gate in state.gates.values()] or [state.approval]
        raise problems.conflict(f"{cannot}: {_GIVEN[last[-1]]}.")

    async def _send(
        self, state: ExecutionState, request: str, message: ApprovalAnswered | ApprovalDelegated
    ) -> RequestAccepted:
        message_id = self._parts.ids.new(f"{request}.{state.execution_id}")
        await append(self._parts.journal, state.execution_id, message, message_id)
        return RequestAccepted(
            execution_id=state.execution_id, request=request, status_before=state.status.value
        )


def _who(principal: Principal, gate: str) -> dict[str, Any]:
    said = said_by(principal, gate)
    return {name: getattr(said, name) for name in ("gate", "by", "role", "groups", "key")}


def _why_closed(state: ExecutionState, name: str) -> str:
    if name in state.gates:
        return _GIVEN.get(state.gates[name].status, "the execution is coming to its end")
    known = ", ".join(state.gates) or "none"
    return f"there is no such gate (asked so far: {known})"


def _check_hash(execution_id: str, gate: GateState, answer: ApprovalAnswered) -> None:
    shown = f"GET /api/v1/workflows/executions/{execution_id}/approvals shows what runs"
    if missing_hash(gate, answer) is None:
        return
    if not answer.subject_hash:
        raise problems.invalid_field(
            "subject_hash", "an approval names the hash of what it approves", shown
        )
    raise problems.problem(
        "subject-changed",
        f"The answer is about {answer.subject_hash[:12]}…, but gate {answer.gate!r} asks about "
        f"{gate.subject_hash[:12]}… now (round {gate.round}): what would run is not what was "
        f"shown. {shown}.",
    )


def _check_person(state: ExecutionState, gate: GateState, answer: ApprovalMessage) -> None:
    reason = why_not(state, gate, answer)
    if reason is not None:
        raise problems.problem("forbidden", f"This answer would not count: {reason}.")


def _check_input(gate: GateState, answer: ApprovalAnswered) -> None:
    try:
        given = filled_in(gate, answer.input)
    except ParameterError as error:
        raise problems.invalid_fields(
            "What was filled in does not fit the form", problems.field_problems(error.problems)
        ) from None
    if not gate.votes:
        return
    if given != gate.input:
        raise problems.conflict(
            f"{gate.votes[0].by.id} has filled in something else. Leave `input` out to approve "
            "that, or reject."
        )
    if any(vote.by.id == answer.by.id for vote in gate.votes):
        raise problems.conflict(
            f"{answer.by.id} has approved it already; {len(gate.votes)} of {gate.rule.quorum} have."
        )
