"""Signals, added instances, cancelled regions: what changes the course of a running execution.

As with other requests the check is a courtesy to the caller; the law is in the core.
"""

from __future__ import annotations

from services.gateway import problems
from services.gateway.operations.appending import append
from services.gateway.operations.executions import ExecutionOperations
from services.gateway.parts import Parts
from services.gateway.permissions import Principal
from shared.contracts.api.executions import RequestAccepted
from shared.contracts.api.steering import InstancesBody, SignalBody
from shared.workflow.expressions import json_size
from shared.workflow.flow import MAX_INSTANCES
from shared.workflow.machines.step import StepStatus
from shared.workflow.messages import (
    InstancesAdded,
    JournalMessage,
    RegionCancelRequested,
    SignalReceived,
)
from shared.workflow.state import ExecutionState

MAX_SIGNAL_BYTES = 64 * 1024


class Steering:
    """Raises 404 for what is not there, 409 for what is over, 422 for what cannot be."""

    def __init__(self, parts: Parts, executions: ExecutionOperations) -> None:
        self._parts = parts
        self._executions = executions

    async def signal(
        self, execution_id: str, name: str, body: SignalBody, principal: Principal
    ) -> RequestAccepted:
        """Tell it that something happened; it may come before anything waits for it."""
        state = await self._open(execution_id, "signalled")
        if json_size(body.data) > MAX_SIGNAL_BYTES:
            limit = f"a signal brings at most {MAX_SIGNAL_BYTES // 1024} KiB"
            raise problems.invalid_field("data", limit, "put it somewhere, and send its address")
        key = body.id or self._parts.ids.new("sg")
        message = SignalReceived(id=key, name=name, data=body.data, by=principal.actor)
        return await self._send(state, "signal", message, f"signal.{execution_id}.{key}")

    async def add_instances(
        self, execution_id: str, step: str, body: InstancesBody, principal: Principal
    ) -> RequestAccepted:
        """Give a loop more items."""
        state = await self._open(execution_id, "extended")
        found = state.steps.get(step)
        if found is None:
            raise problems.not_found("step", step, f"GET …/executions/{execution_id} lists them.")
        if found.status is not StepStatus.EXPANDED:
            raise problems.conflict(f"Step {step!r} is {found.status.value}, not a loop that runs.")
        if found.instances != body.after:
            raise problems.conflict(
                f"Step {step!r} has {found.instances} instances, not {body.after}: look again."
            )
        if found.instances + len(body.items) > MAX_INSTANCES:
            fix = f"a loop has at most {MAX_INSTANCES}"
            raise problems.invalid_field("items", "too many instances", fix)
        message = InstancesAdded(step=step, after=body.after, items=body.items, by=principal.actor)
        return await self._send(
            state, "add_instances", message, f"add.{execution_id}.{step}.{body.after}"
        )

    async def cancel_region(
        self, execution_id: str, region: str, reason: str, principal: Principal
    ) -> RequestAccepted:
        """Cancel a region's open steps, and nothing else."""
        state = await self._open(execution_id, "changed")
        template = await self._executions.template(state)
        regions = (
            {one.region for one in template.every_step if one.region} if template else {region}
        )
        if region not in regions:
            known = ", ".join(sorted(regions)) or "none"
            raise problems.not_found("region", region, f"Regions of its template: {known}.")
        message = RegionCancelRequested(region=region, by=principal.actor, reason=reason)
        key = self._parts.ids.new(f"region.{execution_id}")
        return await self._send(state, "cancel_region", message, key)

    async def _open(self, execution_id: str, word: str) -> ExecutionState:
        state = await self._executions.state(execution_id)
        if state.over:
            raise problems.conflict(
                f"Execution {execution_id} cannot be {word}: it has ended ({state.status.value})."
            )
        return state

    async def _send(
        self, state: ExecutionState, request: str, message: JournalMessage, message_id: str
    ) -> RequestAccepted:
        await append(self._parts.journal, state.execution_id, message, message_id)
        return RequestAccepted(
            execution_id=state.execution_id, request=request, status_before=state.status.value
        )
