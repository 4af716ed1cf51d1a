"""Tasks are ended for certain."""

from __future__ import annotations

import asyncio

from shared.runtime.endings import end


async def test_a_swallowed_cancellation_is_repeated() -> None:
    """A task that swallows a cancellation is cancelled again, until it is over."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end([None, task])
    assert (task.cancelled(), swallowed) == (True, 2)


async def test_how_a_task_ended_is_not_raised() -> None:
    """What a task raised before stays with it."""

    async def failing() -> None:
        raise ValueError

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    await end([task])
    assert isinstance(task.exception(), ValueError)
