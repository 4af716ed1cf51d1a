"""The virtual-time loop without a selector: nothing here ever waits for the world."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.simulation.virtual_time import VirtualTimeLoop

T = TypeVar("T")


class StandstillError(RuntimeError):
    """Nothing is left that could happen."""


class _Nothing(selectors.SelectSelector):
    """Asked for events of the world, has none."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """No events, at once."""
        if timeout is None:
            raise StandstillError("nothing is left that could happen")
        return []


class IdleLoop(VirtualTimeLoop):
    """Virtual time, at the cost of what runs in it."""

    def __init__(self) -> None:
        super().__init__(_Nothing())


def run_idly(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; raises `StandstillError` if it never comes."""
    with asyncio.Runner(loop_factory=IdleLoop) as runner:
        return runner.run(main)
