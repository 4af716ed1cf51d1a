"""What is done again and again goes on after a failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import structlog

from services.learning.rounds import rounds


async def test_a_round_that_fails_is_told_and_tried_again() -> None:
    """What surrounds it sees the failure, who does it is told, and the next one comes."""
    done: list[str] = []
    went_well = asyncio.Event()

    async def one() -> None:
        done.append("round")
        if len(done) == 2:
            raise OSError("away")

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        done.append("in")
        yield
        done.append("out")
        went_well.set()

    with structlog.testing.capture_logs() as logs:
        working = asyncio.create_task(
            rounds(
                one,
                0.001,
                waits="it waits",
                again_s=0.001,
                around=around,
                failed=lambda: done.append("failed"),
            )
        )
        async with asyncio.timeout(10):
            await went_well.wait()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    assert done[:6] == ["in", "round", "failed", "in", "round", "out"]
    assert logs[0] == {"event": "it waits", "error": "OSError: away", "log_level": "warning"}
