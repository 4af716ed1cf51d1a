"""Waiting for the end of an execution, and saying how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from shared.contracts.api.executions import ExecutionView, StepView
from shared.mcp.api import GatewayApi, RefusedError, segment

LOOK_S: Final = 0.5
"""How long the gateway is asked to wait for the end before progress is looked at again."""
NOT_FOUND: Final = 404

_ENDED: Final = frozenset({"completed", "failed", "skipped", "cancelled"})

Report = Callable[[float, float, str], Awaitable[None]]
"""Told steps that have ended, steps in all, and what happens now."""


async def wait_for_end(
    api: GatewayApi, execution_id: str, wait_s: float, report: Report
) -> ExecutionView | None:
    """The execution at its end, or as it is after `wait_s` seconds; `None` when nothing of it is
    stored by then. Reports whenever something has changed."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    path = f"/api/v1/workflows/executions/{segment(execution_id)}"
    seen, view = "", None
    while (left_s := deadline - loop.time()) > 0:
        look_s = min(LOOK_S, left_s)
        try:
            view = await api.get(path, ExecutionView, {"wait": look_s}, wait_s=look_s)
        except RefusedError as error:
            if error.details.status != NOT_FOUND:
                raise
            continue  # accepted, and not stored yet: the gateway has waited for it
        told = describe(view)
        if told != seen:
            seen = told
            await report(ended_steps(view), len(view.steps), told)
        if view.ended:
            break
    return view


def ended_steps(view: ExecutionView) -> int:
    """How many steps need nothing more."""
    return sum(step.status in _ENDED for step in view.steps)


def describe(view: ExecutionView) -> str:
    """What happens now, in a line: `running: deploy (attempt 2) on web-1, verify`."""
    active = [_active(step) for step in view.steps if step.status not in (*_ENDED, "pending")]
    return f"{view.status}: {', '.join(active)}" if active and not view.ended else view.status


def _active(step: StepView) -> str:
    attempt = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    agent = f" on {step.agent}" if step.agent else ""
    word = f" {step.status}" if step.status != "running" else ""
    return f"{step.id}{attempt}{word}{agent}"
