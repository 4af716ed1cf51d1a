"""An event loop whose time is not that of the world: it passes when nothing is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from selectors import BaseSelector
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Goes on to the next thing that is due instead of waiting for it."""

    def __init__(self, selector: BaseSelector | None = None) -> None:
        super().__init__(selector)
        self._now = 0.0

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in as little real time as it takes."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
