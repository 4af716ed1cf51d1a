"""Executor processes and servers that a test can kill and start again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ops.stack.layout import REPO_ROOT
from ops.stack.processes import Child
from ops.stack.servers import EmbeddedServers


class Executor:
    """One executor process; `kill` is kill -9, `start` after it is a new process of that name."""

    def __init__(self, servers: EmbeddedServers, home: Path, name: str, role: str) -> None:
        self._home = home
        self._name = name
        self._env = {
            **os.environ,
            "PYTHONPATH": str(REPO_ROOT),
            "HIVE_NATS_URL": servers.nats_url("executor"),
            "HIVE_MONGO_URL": servers.mongo_url,
            "HIVE_HOME": str(home),
            "HIVE_DURABILITY": "relaxed",
            "HIVE_AGENT_NAME": name,
            "HIVE_AGENT_SLOTS": "16",
            "HIVE_ROLE": role,
        }
        self._child: Child | None = None

    @property
    def log(self) -> Path:
        """What it says."""
        return self._home / f"{self._name}.log"

    def start(self) -> None:
        """Start a process."""
        argv = [sys.executable, "-m", "services.executor"]
        self._child = Child(argv, self._env, self.log)

    def kill(self) -> None:
        """kill -9."""
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._child is not None:
            self._child.stop(30)
