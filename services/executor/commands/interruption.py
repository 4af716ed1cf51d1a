"""Running something until it ends, the command is cancelled, or its time is up."""

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any, TypeVar

from services.executor.commands.base import (
    Cancelled,
    CommandContext,
    JsonObject,
    StopProof,
    TimedOut,
)

ResultT = TypeVar("ResultT")


class Interruption(StrEnum):
    """Why something was stopped before its end."""

    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


async def race(
    work: Coroutine[Any, Any, ResultT], context: CommandContext
) -> ResultT | Interruption:
    """The result of `work`, or why it was stopped; then `work` has been cancelled and has ended.

    Work that ends at the same moment as it is interrupted counts as done. What `work` raises is
    raised.
    """
    if context.cancelled.is_set():
        work.close()
        return Interruption.CANCELLED
    task = asyncio.ensure_future(work)
    cancelled = asyncio.ensure_future(context.cancelled.wait())
    try:
        await asyncio.wait(
            {task, cancelled}, timeout=context.deadline_s, return_when=asyncio.FIRST_COMPLETED
        )
        if task.done():
            return task.result()
        return Interruption.CANCELLED if cancelled.done() else Interruption.TIMED_OUT
    finally:
        task.cancel()
        cancelled.cancel()
        await asyncio.gather(task, cancelled, return_exceptions=True)


def interrupted(
    why: Interruption, proof: StopProof, output: JsonObject | None = None
) -> TimedOut | Cancelled:
    """The outcome for an interruption."""
    outcome = Cancelled if why is Interruption.CANCELLED else TimedOut
    return outcome(proof, output or {})
