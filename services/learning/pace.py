"""Computing beside the event loop, and never more than a share of one core.

What is computed runs in one thread of its own, in slices of some milliseconds; after each the
thread rests so long that, of the time that goes by, at most `share` was work. Whoever waits for the
thread is served in turn, so that a rebuild of one model does not keep others from learning.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import psutil

SLICE_S: Final = 0.02
"""So long a slice of folding should take."""

BUSY_PERCENT: Final = 85.0

T = TypeVar("T")


class Pace:
    """One thread, and how much of a core it may take: `share`, above 0 and at most 1."""

    def __init__(self, share: float = 1.0) -> None:
        self._share = share
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="learning")
        self._turn = asyncio.Lock()
        self.spent_s = 0.0
        """Processor time that it took so far."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run it in the thread when it is its turn, rest, and give what it gave."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            result, spent = await loop.run_in_executor(self._thread, _timed, work)
            self.spent_s += spent
            if self._share < 1:
                await asyncio.sleep(spent * (1 - self._share) / self._share)
            return result

    def close(self) -> None:
        """Run nothing more; a slice that is under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.thread_time()
    result = work()
    return result, time.thread_time() - begun


class Spare:
    """Whether the machine has processor time to spare, as it was since the last question."""

    def __init__(self) -> None:
        psutil.cpu_percent()

    def is_short(self) -> bool:
        """True where nearly all of it was used."""
        return psutil.cpu_percent() > BUSY_PERCENT
