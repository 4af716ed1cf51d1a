"""`wait`: sleeps for a short time; for a long one it hands the step back until the moment comes."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel

from services.executor.commands.base import (
    CommandContext,
    Completed,
    Deferred,
    Failed,
    Outcome,
    StopProof,
)
from services.executor.commands.interruption import Interruption, interrupted, race
from shared.commands.spec import CommandSpec
from shared.commands.wait import SPEC, WAIT_LIMIT_S, WaitParameters

HOLD_LIMIT_S = 5.0
"""Longest wait, in seconds, that holds the agent: for less, a durable timer costs too much."""


class WaitCommand:
    """Waits. `now` is the clock: Unix time in seconds."""

    spec: CommandSpec = SPEC
    parameters: type[BaseModel] = WaitParameters

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    async def run(self, params: WaitParameters, context: CommandContext) -> Outcome:
        """Wait here if it is short, else answer Deferred with the token `<start>/<end>`."""
        start = self._now()
        end = start + params.seconds if params.seconds is not None else _moment(params)
        if end - start > WAIT_LIMIT_S:
            return Failed("wait_too_long", f"'until' is more than {WAIT_LIMIT_S} seconds ahead")
        return await self._wait(start, end, context)

    async def resume(
        self,
        params: WaitParameters,  # noqa: ARG002 - the token has what is needed
        context: CommandContext,
        token: str,
    ) -> Outcome:
        """Complete, or wait on if it was woken too early and nobody wanted that."""
        start, end = (float(part) for part in token.split("/"))
        return await self._wait(start, min(end, self._now()) if context.hurried else end, context)

    async def _wait(self, start: float, end: float, context: CommandContext) -> Outcome:
        left = end - self._now()
        if left > HOLD_LIMIT_S:
            return Deferred(f"{start!r}/{end!r}", wake_at_s=end, output={"until": _iso(end)})
        why = await race(asyncio.sleep(max(0.0, left)), context)
        waited = max(0.0, self._now() - start)
        output = {"until": _iso(end), "waited_s": round(waited, 3)}
        if isinstance(why, Interruption):
            return interrupted(why, StopProof(True, "a wait starts nothing"), output)
        return Completed(output)


def _moment(params: WaitParameters) -> float:
    if params.until is None:
        raise ValueError("give exactly one of: seconds, until")
    return params.until.timestamp()


def _iso(moment_s: float) -> str:
    return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")
