"""Requests about an execution: each is checked against its state and put into its journal.

The state may lag by tens of milliseconds, so the check is a courtesy to the caller; the law is in
the core, which ignores a request that came too late.
"""

from __future__ import annotations

from typing import Literal

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.executions import RequestAccepted, ResolveBody
from shared.workflow.machines.approval import ApprovalStatus
from shared.workflow.machines.execution import ExecutionStatus
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import (
    CancelRequested,
    JournalMessage,
    LostResolved,
    PauseRequested,
    ResumeRequested,
)
from shared.workflow.state import ExecutionState

Request = Literal["cancel", "pause", "resume", "resolve"]
_S = ExecutionStatus


class ExecutionRequests:
    """Cancel, pause, resume, resolve. Each raises 404 and 409."""

    def __init__(self, parts: Parts, executions: ExecutionOperations) -> None:
        self._parts = parts
        self._executions = executions

    async def cancel(
        self, execution_id: str, reason: str, principal: Principal, *, force: bool = False
    ) -> RequestAccepted:
        """Stop it, and prove that what ran is gone; with `force` what `finally` runs, too."""
        state = await self._open(execution_id, "cancelled")
        message = CancelRequested(by=principal.actor, reason=reason, force=force)
        return await self._send(state, "cancel", message)

    async def pause(self, execution_id: str, reason: str, principal: Principal) -> RequestAccepted:
        """Start nothing new; what runs may finish."""
        state = await self._open(execution_id, "paused")
        awaits = state.approval is ApprovalStatus.REQUESTED
        if state.status not in (_S.RUNNING, _S.WAITING) or awaits:
            why = "it awaits approval" if awaits else f"it is {state.status.value}"
            raise problems.conflict(f"Execution {execution_id} cannot be paused: {why}.")
        return await self._send(state, "pause", PauseRequested(by=principal.actor, reason=reason))

    async def resume(self, execution_id: str, reason: str, principal: Principal) -> RequestAccepted:
        """Go on after a pause."""
        state = await self._open(execution_id, "resumed")
        if state.status is not _S.PAUSED:
            raise problems.conflict(
                f"Execution {execution_id} cannot be resumed: it is {state.status.value}, "
                "not paused."
            )
        number = state.pause.number if state.pause is not None else 0
        message = ResumeRequested(by=principal.actor, reason=reason, pause=number)
        return await self._send(state, "resume", message)

    async def resolve(
        self, execution_id: str, step: str, body: ResolveBody, principal: Principal
    ) -> RequestAccepted:
        """Say what became of a step whose worker died midway (`on_lost: ask`)."""
        state = await self._open(execution_id, "resolved")
        found = state.steps.get(step)
        if found is None:
            known = ", ".join(list(state.steps)[:50])
            raise problems.not_found("step", step, f"Steps of {execution_id}: {known}.")
        if found.status is not StepStatus.LOST:
            raise problems.conflict(
                f"Step {step!r} is {found.status.value}, not lost; there is nothing to resolve."
            )
        message = LostResolved(
            step=step,
            attempt=found.attempt,
            verdict=body.verdict,
            by=principal.actor,
            reason=body.reason,
            output=body.output if body.verdict == "completed" else {},
        )
        return await self._send(state, "resolve", message)

    async def resolve_all(
        self, execution_id: str, body: ResolveBody, principal: Principal
    ) -> RequestAccepted:
        """The same for every step that is lost."""
        state = await self._open(execution_id, "resolved")
        lost = [key for key, step in state.steps.items() if step.status is StepStatus.LOST]
        if not lost:
            raise problems.conflict(f"No step of execution {execution_id} is lost.")
        for key in lost[1:]:
            await self.resolve(execution_id, key, body, principal)
        return await self.resolve(execution_id, lost[0], body, principal)

    async def _open(self, execution_id: str, word: str) -> ExecutionState:
        """The state of an execution that has not ended."""
        state = await self._executions.state(execution_id)
        if state.over:
            raise problems.conflict(
                f"Execution {execution_id} cannot be {word}: it has ended ({state.status.value})."
            )
        return state

    async def _send(
        self, state: ExecutionState, request: Request, message: JournalMessage
    ) -> RequestAccepted:
        message_id = self._parts.ids.new(f"{request}.{state.execution_id}")
        await append(self._parts.journal, state.execution_id, message, message_id)
        return RequestAccepted(
            execution_id=state.execution_id,
            request=request,
            status_before=state.status.value,
        )
