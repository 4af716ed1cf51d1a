"""Validator processes that a test starts, and stops by their process."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from ops.stack.layout import REPO_ROOT
from ops.stack.processes import Child, tail
from ops.stack.servers import EmbeddedServers

PATIENCE_S = 60.0
_RUNS = re.compile(r"validator runs")
_REFUSED = "permissions violation"


class ValidatorProcess:
    """One validator, as its own NATS user."""

    def __init__(self, servers: EmbeddedServers, home: Path, name: str = "validator") -> None:
        self.name = name
        self._log = home / f"{name}.log"
        self._env = {
            **os.environ,
            "PYTHONPATH": str(REPO_ROOT),
            "HIVE_NATS_URL": servers.nats_url("validator"),
            "HIVE_MONGO_URL": servers.mongo_url,
            "HIVE_HOME": str(home),
        }
        self._child: Child | None = None

    async def __aenter__(self) -> ValidatorProcess:
        """Start it, and wait until it says that it runs."""
        argv = [sys.executable, "-P", "-m", "services.validator"]
        self._child = await asyncio.to_thread(Child, argv, self._env, self._log)
        async with asyncio.timeout(PATIENCE_S):
            while not _RUNS.search(self._text()):
                assert self._child.running, f"{self.name} ended:\n{tail(self._log)}"
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        """SIGTERM, and wait; NATS must have refused it nothing."""
        assert self._child is not None
        await asyncio.to_thread(self._child.stop, 30.0)
        assert _REFUSED not in self._text().lower(), tail(self._log)

    async def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        await asyncio.to_thread(self._child.kill)

    def _text(self) -> str:
        if not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")
