"""What the processes of a stack use: CPU seconds and memory, sampled from outside."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

SAMPLE_S: Final = 0.25
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes so far, in seconds."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


def pss_mib(pids: Sequence[int]) -> float:
    """Proportional set size of these processes in MiB; shared pages are counted once. Where the
    system does not tell it, resident set size."""
    return sum(_pss_bytes(pid) for pid in pids) / 2**20


def _pss_bytes(pid: int) -> int:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
        return int(found.group(1)) * 1024 if found else 0
    except FileNotFoundError:
        with contextlib.suppress(psutil.NoSuchProcess):
            return int(psutil.Process(pid).memory_info().rss)
        return 0


class Peak:
    """The highest memory of a group of processes while a block runs, in MiB."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._task: asyncio.Task[None] | None = None
        self.mib = 0.0

    async def __aenter__(self) -> Peak:
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        self._keep()

    async def _sample(self) -> None:
        while True:
            self._keep()
            await asyncio.sleep(SAMPLE_S)

    def _keep(self) -> None:
        self.mib = max(self.mib, pss_mib(self._pids))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
