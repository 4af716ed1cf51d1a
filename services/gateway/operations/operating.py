"""Breakpoints, marks, run now: what operators do to single steps of an execution that runs.

As with other requests the check is a courtesy to the caller; the law is in the core, and both are
the same functions.
"""

from __future__ import annotations

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.operations.programs import GatewayPrograms
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.executions import RequestAccepted
from shared.contracts.api.operating import BreakpointsBody, MarkBody
from shared.workflow.breakpoints import why_no_breakpoint
from shared.workflow.hurrying import why_not_now
from shared.workflow.marking import why_not_marked
from shared.workflow.messages import (
    BreakpointsRequested,
    JournalMessage,
    MarkRequested,
    RunNowRequested,
)
from shared.workflow.program import Program
from shared.workflow.state import ExecutionState


class Operating:
    """Raises 404 for what is not there, and 409, with the reason, for what cannot be done."""

    def __init__(
        self, parts: Parts, executions: ExecutionOperations, programs: GatewayPrograms
    ) -> None:
        self._parts = parts
        self._executions = executions
        self._programs = programs

    async def set_breakpoints(
        self, execution_id: str, body: BreakpointsBody, principal: Principal
    ) -> RequestAccepted:
        """Pause before these steps, and before those no more."""
        state, program = await self._open(execution_id)
        for name in body.set_before:
            _refuse_if(execution_id, why_no_breakpoint(program, state, name))
        message = BreakpointsRequested(
            set_before=body.set_before, clear=body.clear, by=principal.actor, reason=body.reason
        )
        return await self._send(state, "breakpoints", message)

    async def mark(
        self, execution_id: str, step: str, body: MarkBody, principal: Principal
    ) -> RequestAccepted:
        """Say what became of a step; what runs of it is stopped first."""
        state, program = await self._open(execution_id)
        _check_step(state, step)
        message = MarkRequested(
            step=step,
            verdict=body.verdict,
            by=principal.actor,
            reason=body.reason,
            output=body.output if body.verdict == "completed" else {},
        )
        _refuse_if(execution_id, why_not_marked(program, state, message))
        return await self._send(state, "mark", message)

    async def run_now(
        self, execution_id: str, step: str, reason: str, principal: Principal
    ) -> RequestAccepted:
        """What the step waits for need not be waited for any longer."""
        state, program = await self._open(execution_id)
        _check_step(state, step)
        _refuse_if(execution_id, why_not_now(program, state, step))
        return await self._hurry(state, step, reason, principal)

    async def run_all_now(
        self, execution_id: str, reason: str, principal: Principal
    ) -> RequestAccepted:
        """The same for every step that waits for a delay."""
        state, program = await self._open(execution_id)
        waiting = [key for key in state.steps if why_not_now(program, state, key) is None]
        if not waiting:
            _refuse_if(execution_id, "none of its steps waits for a delay")
        answers = [await self._hurry(state, key, reason, principal) for key in waiting]
        return answers[0]

    async def _hurry(
        self, state: ExecutionState, key: str, reason: str, principal: Principal
    ) -> RequestAccepted:
        step = state.steps[key]
        message = RunNowRequested(
            step=key, attempt=step.attempt, leg=step.leg, by=principal.actor, reason=reason
        )
        return await self._send(state, "run_now", message)

    async def _open(self, execution_id: str) -> tuple[ExecutionState, Program]:
        state = await self._executions.state(execution_id)
        if state.over:
            raise problems.conflict(
                f"Execution {execution_id} cannot be changed: it has ended "
                f"({state.status.value}). `rerun` runs it again, from any step."
            )
        program = await self._programs.get(state.template_id, state.template_version)
        if program is None:
            raise problems.conflict(
                f"Template {state.template_id}@{state.template_version} cannot be read here."
            )
        return state, program

    async def _send(
        self, state: ExecutionState, request: str, message: JournalMessage
    ) -> RequestAccepted:
        message_id = self._parts.ids.new(f"{request}.{state.execution_id}")
        await append(self._parts.journal, state.execution_id, message, message_id)
        return RequestAccepted(
            execution_id=state.execution_id, request=request, status_before=state.status.value
        )


def _check_step(state: ExecutionState, step: str) -> None:
    if step not in state.steps:
        known = ", ".join(list(state.steps)[:50])
        raise problems.not_found("step", step, f"Steps of {state.execution_id}: {known}.")


def _refuse_if(execution_id: str, why_not: str | None) -> None:
    if why_not is not None:
        raise problems.conflict(f"Not in execution {execution_id}: {why_not}.")
