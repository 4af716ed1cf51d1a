"""Executions go first where the machine is short of processor time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.learning import deriving
from services.learning.deriving import RunFollower
from services.learning.pace import Spare
from shared.runtime.clock import SystemClock


class Feed:
    """Always has news, of nothing."""

    def __init__(self) -> None:
        self.taken = 0

    async def follow(self, patterns: Sequence[str], since_ms: int) -> None:
        """Give some."""

    async def take(self, limit: int) -> Sequence[Any]:
        self.taken += 1
        await asyncio.sleep(0)
        return ()

    async def close(self) -> None:
        """Give no more."""


@pytest.mark.parametrize(("short", "least", "most"), [(True, 1, 2), (False, 10, 10**6)])
async def test_ends_are_read_seldom_where_time_is_short(
    monkeypatch: pytest.MonkeyPatch, short: bool, least: int, most: int
) -> None:
    """A reading, and then a rest; without need there is none."""
    monkeypatch.setattr(deriving, "SHORT_S", 30.0)
    feed, nobody = Feed(), cast(Any, None)
    follower = RunFollower(
        cast(Any, feed), nobody, nobody, SystemClock(), nobody, is_short=lambda: short
    )
    running = asyncio.create_task(follower.run())
    await asyncio.sleep(0.2)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert least <= feed.taken <= most


def test_whether_time_is_short_can_be_told() -> None:
    """It is asked of the system."""
    assert Spare().is_short() in (True, False)
