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
    seen, view, progress = "", None, Progress()
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
            await report(progress.at(view), len(view.steps), told)
        if view.ended:
            break
    return view


class Progress:
    """How far executions are, in steps. The protocol wants each number above the one before, also
    where nothing but the message is new: then it goes half of the way to the next step."""

    def __init__(self) -> None:
        self._told = -1.0

    def at(self, view: ExecutionView) -> float:
        """The number for the next report; all steps at the end, and only then."""
        if view.ended:
            return len(view.steps)
        done = ended_steps(view)
        reached = float(min(done, len(view.steps) - 1)) if view.steps else 0.0
        if reached <= self._told:
            reached = (self._told + min(int(self._told) + 1, len(view.steps))) / 2
        self._told = reached
        return reached


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
