"""The agent's announcement of itself, every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import structlog

from services.executor.runner.runner import Runner
from shared.contracts.agents import AgentRecord
from shared.ports.agents import AgentDirectory
from shared.ports.clock import Clock

log = structlog.get_logger()

EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """What an agent is, as opposed to how it fares."""

    name: str
    version: str
    labels: Mapping[str, str]
    capabilities: Sequence[str]
    slots: int


class Announcer:
    """Keeps one agent in the directory."""

    def __init__(
        self,
        *,
        directory: AgentDirectory,
        runner: Runner,
        clock: Clock,
        identity: AgentIdentity,
        data_dir: Path,
    ) -> None:
        self._directory = directory
        self._runner = runner
        self._clock = clock
        self._identity = identity
        self._data_dir = data_dir
        self._started_ms = clock.now_ms()
        self._leaving = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce once, then keep announcing."""
        await self._directory.announce(self.record())
        self._task = asyncio.create_task(self._keep())

    async def leaving(self) -> None:
        """Say at once that no more tasks are taken here."""
        self._leaving = True
        with contextlib.suppress(OSError, TimeoutError):
            await self._directory.announce(self.record())

    async def close(self) -> None:
        """Withdraw."""
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            await self._directory.withdraw(self._identity.name)

    def record(self) -> AgentRecord:
        """What this agent says of itself now."""
        running = self._runner.running
        identity = self._identity
        return AgentRecord(
            name=identity.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=identity.version,
            labels=dict(identity.labels),
            capabilities=tuple(identity.capabilities),
            slots=identity.slots,
            running=running,
            load=running / identity.slots,
            system_load=psutil.getloadavg()[0] / (psutil.cpu_count() or 1),
            memory_percent=psutil.virtual_memory().percent,
            disk_percent=psutil.disk_usage(str(self._data_dir)).percent,
            started_at_ms=self._started_ms,
            seen_at_ms=self._clock.now_ms(),
            draining=self._leaving,
        )

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._directory.announce(self.record())
            except Exception as error:
                log.info("not announced now", error=str(error) or type(error).__name__)
